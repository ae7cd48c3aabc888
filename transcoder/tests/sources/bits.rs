//! Writes bits, the highest first.

#[derive(Default)]
pub struct Bits {
    bytes: Vec<u8>,
    used: usize,
}

impl Bits {
    /// The low `count` bits of `value`.
    pub fn put(mut self, count: usize, value: u32) -> Self {
        for at in (0..count).rev() {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let last = self.bytes.len() - 1;
            self.bytes[last] |= ((value >> at & 1) as u8) << (7 - self.used % 8);
            self.used += 1;
        }
        self
    }

    /// An Exp-Golomb code (H.264 9.1).
    pub fn ue(self, value: u32) -> Self {
        let bits = (value + 1).ilog2() as usize;
        self.put(2 * bits + 1, value + 1)
    }

    /// Up to the next byte with zeros.
    pub fn aligned(mut self) -> Self {
        self.used = self.bytes.len() * 8;
        self
    }

    /// Filled up with zeros.
    pub fn bytes(self) -> Vec<u8> {
        self.bytes
    }
}
