//! Random identifiers in the shapes AWS gives them. Must not be used for secrets.

/// 32 lowercase hexadecimal digits.
pub(crate) fn hex32() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// A random (version 4) UUID.
pub(crate) fn uuid() -> String {
    let bits = (rand::random::<u128>() & !(0xf << 76) & !(0b11 << 62)) | (4 << 76) | (0b10 << 62);
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
