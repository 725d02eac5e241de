//! ITU-T G.711: A-law and µ-law. Decoding by table, encoding by the segment's number, from one law to the other by table.

/// The two laws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Law {
    A,
    Mu,
}

impl Law {
    pub fn decode(self, code: u8) -> i16 {
        match self {
            Law::A => decode_alaw(code),
            Law::Mu => decode_ulaw(code),
        }
    }

    pub fn encode(self, sample: i16) -> u8 {
        match self {
            Law::A => encode_alaw(sample),
            Law::Mu => encode_ulaw(sample),
        }
    }

    /// The code of every code in the other law: what decoding and encoding again gives.
    pub fn to_other(self) -> &'static [u8; 256] {
        match self {
            Law::A => &ALAW_TO_ULAW,
            Law::Mu => &ULAW_TO_ALAW,
        }
    }
}

static DECODE_ALAW: [i16; 256] = alaw_table();
static DECODE_ULAW: [i16; 256] = ulaw_table();
static ALAW_TO_ULAW: [u8; 256] = to_ulaw();
static ULAW_TO_ALAW: [u8; 256] = to_alaw();

/// A-law silence: the code of the smallest positive value.
pub const ALAW_SILENCE: u8 = 0xd5;

/// µ-law silence: positive zero.
pub const ULAW_SILENCE: u8 = 0xff;

/// Added to every µ-law magnitude so that segments begin at powers of two, in 16-bit steps (33 in the 14 bits of
/// G.711).
const ULAW_BIAS: i32 = 132;

/// Largest magnitude that µ-law holds, in 16-bit steps.
const ULAW_CLIP: i32 = 32_635;

pub fn decode_alaw(code: u8) -> i16 {
    DECODE_ALAW[usize::from(code)]
}

pub fn decode_ulaw(code: u8) -> i16 {
    DECODE_ULAW[usize::from(code)]
}

/// G.711 table 1: sign, 3 bits of segment, 4 bits of step; even bits inverted.
pub const fn encode_alaw(sample: i16) -> u8 {
    let (sign, magnitude) = if sample >= 0 { (0x80, sample as u16) } else { (0, !sample as u16) };
    let code = match magnitude {
        0..=511 => magnitude >> 4,
        _ => {
            let segment = magnitude.ilog2() as u16 - 7;
            segment << 4 | (magnitude >> (segment + 3)) & 0x0f
        }
    };
    (sign | code as u8) ^ 0x55
}

/// G.711 table 2: sign, 3 bits of segment, 4 bits of step; all bits inverted.
pub const fn encode_ulaw(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = (sample as i32).abs();
    let magnitude = if magnitude < ULAW_CLIP { magnitude } else { ULAW_CLIP } + ULAW_BIAS;
    let segment = magnitude.ilog2() - 7;
    let step = (magnitude >> (segment + 3)) & 0x0f;
    !(sign | (segment << 4) as u8 | step as u8)
}

const fn to_ulaw() -> [u8; 256] {
    let mut out = [0; 256];
    let mut code = 0;
    while code < 256 {
        out[code] = encode_ulaw(DECODE_ALAW[code]);
        code += 1;
    }
    out
}

const fn to_alaw() -> [u8; 256] {
    let mut out = [0; 256];
    let mut code = 0;
    while code < 256 {
        out[code] = encode_alaw(DECODE_ULAW[code]);
        code += 1;
    }
    out
}

const fn alaw_table() -> [i16; 256] {
    let mut out = [0; 256];
    let mut code = 0;
    while code < 256 {
        out[code] = decode_alaw_once(code as u8);
        code += 1;
    }
    out
}

const fn ulaw_table() -> [i16; 256] {
    let mut out = [0; 256];
    let mut code = 0;
    while code < 256 {
        out[code] = decode_ulaw_once(code as u8);
        code += 1;
    }
    out
}

const fn decode_alaw_once(code: u8) -> i16 {
    let code = code ^ 0x55;
    let segment = (code >> 4) & 7;
    let step = ((code & 0x0f) as i16) << 4;
    let magnitude = if segment == 0 { step + 8 } else { (step + 0x108) << (segment - 1) };
    if code & 0x80 != 0 { magnitude } else { -magnitude }
}

const fn decode_ulaw_once(code: u8) -> i16 {
    let code = !code;
    let segment = (code >> 4) & 7;
    let step = ((code & 0x0f) as i32) << 3;
    let magnitude = (((step + ULAW_BIAS) << segment) - ULAW_BIAS) as i16;
    if code & 0x80 != 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence() {
        assert_eq!(encode_alaw(0), ALAW_SILENCE);
        assert_eq!(encode_ulaw(0), ULAW_SILENCE);
        assert_eq!(decode_alaw(ALAW_SILENCE), 8);
        assert_eq!(decode_ulaw(ULAW_SILENCE), 0);
    }

    #[test]
    fn the_tables_between_the_laws_are_those_of_the_codec() {
        for code in 0..=255 {
            assert_eq!(Law::A.to_other()[usize::from(code)], encode_ulaw(decode_alaw(code)));
            assert_eq!(Law::Mu.to_other()[usize::from(code)], encode_alaw(decode_ulaw(code)));
        }
        assert_eq!(Law::A.to_other()[usize::from(ALAW_SILENCE)], encode_ulaw(8));
    }

    #[test]
    fn every_code_survives_a_round_trip() {
        for code in 0..=255 {
            assert_eq!(encode_alaw(decode_alaw(code)), code, "A-law {code:#x}");
            // µ-law has two zeros; the negative one becomes the positive one.
            let expected = if code == 0x7f { 0xff } else { code };
            assert_eq!(encode_ulaw(decode_ulaw(code)), expected, "µ-law {code:#x}");
        }
    }

    /// Values at the ends of G.711's tables, in 16-bit steps.
    #[test]
    fn the_ends_of_the_tables() {
        assert_eq!([decode_alaw(0xaa), decode_alaw(0x2a)], [32_256, -32_256]);
        assert_eq!([decode_ulaw(0x80), decode_ulaw(0x00)], [32_124, -32_124]);
        assert_eq!([encode_alaw(i16::MAX), encode_alaw(i16::MIN)], [0xaa, 0x2a]);
        assert_eq!([encode_ulaw(i16::MAX), encode_ulaw(i16::MIN)], [0x80, 0x00]);
    }

    /// The nearest code or its neighbour: never off by more than half a step of the segment, plus one for the edges.
    #[test]
    fn encoding_is_as_exact_as_the_law_allows() {
        for sample in i16::MIN..=i16::MAX {
            let magnitude = i32::from(sample).abs();
            let a = (i32::from(decode_alaw(encode_alaw(sample))) - i32::from(sample)).abs();
            assert!(a <= (magnitude / 32).max(8) + 1, "A-law {sample}: {a}");
            if magnitude <= ULAW_CLIP {
                let u = (i32::from(decode_ulaw(encode_ulaw(sample))) - i32::from(sample)).abs();
                assert!(u <= ((magnitude + ULAW_BIAS) / 32).max(4) + 1, "µ-law {sample}: {u}");
            }
        }
    }
}
