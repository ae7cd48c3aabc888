//! Bits of a NAL unit's payload: fixed lengths and Exp-Golomb codes (H.264 §9.1), emulation prevention bytes skipped
//! (H.264 §7.4.1, H.265 §7.4.2).

/// Longest prefix of zeros of an Exp-Golomb code: values have 32 bits.
const MAX_ZEROS: u32 = 31;

/// Reads from the first bit on; `None` means that the bits have run out or make no sense.
#[derive(Debug, Clone)]
pub(super) struct Bits<'a> {
    rest: &'a [u8],
    zeros: u8,
    byte: u8,
    left: u8,
}

impl<'a> Bits<'a> {
    pub(super) fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload, zeros: 0, byte: 0, left: 0 }
    }

    fn bit(&mut self) -> Option<u32> {
        if self.left == 0 {
            let (&byte, rest) = self.rest.split_first()?;
            (self.byte, self.rest) = (byte, rest);
            if self.zeros == 2 && byte == 3 {
                let (&byte, rest) = rest.split_first()?;
                (self.byte, self.rest, self.zeros) = (byte, rest, 0);
            }
            self.zeros = if self.byte == 0 { (self.zeros + 1).min(2) } else { 0 };
            self.left = 8;
        }
        self.left -= 1;
        Some(u32::from(self.byte >> self.left & 1))
    }

    /// An unsigned number of `count` bits, at most 32.
    pub(super) fn number(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |value, _| Some(value << 1 | self.bit()?))
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        self.bit().map(|bit| bit == 1)
    }

    pub(super) fn skip(&mut self, count: u32) -> Option<()> {
        (0..count).try_for_each(|_| self.bit().map(|_| ()))
    }

    /// ue(v).
    pub(super) fn golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            if zeros > MAX_ZEROS {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.number(zeros)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golomb_codes_are_those_of_table_9_2() {
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0010, 0b1001_1000]);
        let read: Vec<_> = std::iter::from_fn(|| bits.golomb()).collect();
        assert_eq!(read, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn emulation_prevention_is_no_payload() {
        let mut bits = Bits::new(&[0, 0, 3, 1, 0, 0, 3, 0, 0, 3, 3]);
        let read: Vec<_> = std::iter::from_fn(|| bits.number(8)).collect();
        assert_eq!(read, [0, 0, 1, 0, 0, 0, 0, 3]);
    }

    #[test]
    fn an_exp_golomb_code_of_too_many_zeros_is_refused() {
        assert_eq!(Bits::new(&[0; 9]).golomb(), None);
        assert_eq!(Bits::new(&[]).golomb(), None);
        assert_eq!(Bits::new(&[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]).golomb(), Some(u32::MAX - 1));
    }
}
