//! The NAL units of a track: how they are framed, which parameter sets hold, and how they are written.

use bytes::{BufMut, BytesMut};

use super::fields::Field;
use super::framing::{Framing, LENGTH_SIZE};
use super::nal::{Syntax, Unit};
use super::parameters::ParameterSets;
use crate::codec::RandomAccess;

/// The framing and the parameter sets of one track.
#[derive(Debug)]
pub(super) struct Bitstream {
    pub(super) syntax: Syntax,
    /// Bytes of a length, as the sequence header says.
    pub(super) length_size: Option<usize>,
    /// Parameter sets of the sequence header in force,
    pub(super) in_force: ParameterSets,
    /// and those that have come since: the next picture at which decoding can begin needs a header with them.
    pub(super) newest: ParameterSets,
}

impl Bitstream {
    pub(super) fn new(syntax: Syntax) -> Self {
        let none = ParameterSets::new(syntax);
        Self { syntax, length_size: None, in_force: none.clone(), newest: none }
    }
}

/// What a message is made of.
#[derive(Debug, Default)]
pub(super) struct Seen<'a> {
    pub(super) first_slice: Option<&'a [u8]>,
    /// Whether it is the first of its picture.
    pub(super) begins_picture: bool,
    /// Whether a decoder can start here.
    pub(super) random_access: Option<RandomAccess>,
    /// Pictures, or fields, that begin.
    pub(super) begun: usize,
    /// Something is not as readers expect it: empty units, parameter sets, padding.
    pub(super) is_odd: bool,
}

impl Bitstream {
    /// Looks over the NAL units of a message, and learns its parameter sets.
    pub(super) fn look<'a>(&mut self, framing: Framing, data: &'a [u8]) -> Seen<'a> {
        let mut seen = Seen::default();
        let mut bytes = 0;
        for unit in framing.units(data) {
            bytes += LENGTH_SIZE + unit.len();
            if unit.is_empty() {
                seen.is_odd = true;
                continue;
            }
            match self.syntax.classify(unit) {
                Unit::Slice { first, random_access } => {
                    if seen.first_slice.is_none() {
                        (seen.first_slice, seen.begins_picture) = (Some(unit), first);
                    }
                    seen.random_access = seen.random_access.or(random_access);
                    seen.begun += usize::from(first);
                }
                Unit::Set(kind) => {
                    seen.is_odd = true;
                    self.newest.learn(kind, unit);
                }
                Unit::Before | Unit::After => {}
            }
        }
        seen.is_odd |= bytes != data.len();
        seen
    }

    /// The field that a message is, if it is one alone.
    pub(super) fn field(&self, seen: &Seen<'_>) -> Option<Field> {
        let slice = seen.first_slice.filter(|_| self.syntax == Syntax::Avc && seen.begun == 1)?;
        Field::of(slice, &self.newest)
    }

    /// Writes NAL units behind their lengths, without empty ones and without parameter sets that the header has.
    pub(super) fn put(&self, body: &mut BytesMut, framing: Framing, data: &[u8]) {
        let is_wanted = |unit: &&[u8]| {
            !unit.is_empty()
                && match self.syntax.classify(unit) {
                    Unit::Set(kind) => !self.in_force.knows(kind, unit),
                    _ => true,
                }
        };
        framing.units(data).filter(is_wanted).for_each(|unit| put_unit(body, unit));
    }
}

/// Writes one behind its length.
pub(super) fn put_unit(out: &mut BytesMut, unit: &[u8]) {
    // Messages are shorter than 2^24.
    out.put_u32(unit.len() as u32);
    out.put_slice(unit);
}
