//! Values that are never kept: each is told by the number of the write that carried it.

/// One write of a run by its number, whose low ten bits are the length of the value that it carries.
///
/// The value is the number in 16 hexadecimal digits, and `x` up to its length; a shorter one has the number's last digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteId(u64);

const LENGTH_BITS: u32 = 10;
const DIGITS: usize = 16;
const FILL: [u8; 1000] = [b'x'; 1000];

impl WriteId {
    /// No write: what a key has that is not there.
    pub(super) const NONE: WriteId = WriteId(0);

    /// The write with this number, from 1 on, of a value of 1 to 1000 bytes.
    pub(super) fn new(number: u64, length: u32) -> WriteId {
        WriteId(number << LENGTH_BITS | u64::from(length))
    }

    pub(super) fn after(self, numbers: u64) -> WriteId {
        WriteId(self.0 + (numbers << LENGTH_BITS))
    }

    fn length(self) -> usize {
        (self.0 & ((1 << LENGTH_BITS) - 1)) as usize
    }

    /// With the length in the high bits, so that the last digits are the number's own.
    fn digits(self) -> [u8; DIGITS] {
        digits(self.0.rotate_right(LENGTH_BITS))
    }

    /// Appends the value.
    pub fn put(self, out: &mut Vec<u8>) {
        let (digits, length) = (self.digits(), self.length());
        out.extend_from_slice(&digits[DIGITS - length.min(DIGITS)..]);
        out.extend_from_slice(&FILL[..length.saturating_sub(DIGITS)]);
    }

    /// Whether `value` is what this write carried; for [`WriteId::NONE`], nothing.
    pub(super) fn is(self, value: &str) -> bool {
        let (digits, length, value) = (self.digits(), self.length(), value.as_bytes());
        let (head, fill) = value.split_at(value.len().min(DIGITS));
        value.len() == length && head == &digits[DIGITS - length.min(DIGITS)..] && fill == &FILL[..fill.len()]
    }

    pub(super) fn text(self) -> String {
        let mut value = Vec::new();
        self.put(&mut value);
        String::from_utf8(value).unwrap_or_default()
    }
}

fn digits(number: u64) -> [u8; DIGITS] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    std::array::from_fn(|at| HEX[(number >> (4 * (DIGITS - 1 - at)) & 15) as usize])
}
