//! ITU-T G.722 at 64 kbit/s: 16 kHz, two bands of sub-band ADPCM; one octet for every two samples.
//!
//! Names are those of the recommendation's blocks (section 6.2). All arithmetic is its 16-bit arithmetic with saturation, so
//! that coder and decoder keep in step with every other implementation, bit by bit.

/// Samples a second.
pub const SAMPLE_RATE_HZ: u32 = 16_000;

/// The quadrature mirror filters' even coefficients (table 11, halved symmetry).
const QMF: [i32; 12] = [3, -11, 12, 32, -210, 951, 3_876, -805, 362, -156, 53, -11];

/// Decision levels of the lower band's quantizer (table 14), for a scale factor of 1.
const DECISIONS_LOW: [i32; 30] = [
    0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1_023, 1_121, 1_219,
    1_339, 1_458, 1_612, 1_765, 1_980, 2_195, 2_557, 2_919,
];

/// Output values of the inverse quantizers with 6, 4 (lower band) and 2 bits (higher band).
const LEVELS_6: [i32; 64] = [
    -136, -136, -136, -136, -24_808, -21_904, -19_008, -16_704, -14_984, -13_512, -12_280, -11_192, -10_232, -9_360,
    -8_576, -7_856, -7_192, -6_576, -6_000, -5_456, -4_944, -4_464, -4_008, -3_576, -3_168, -2_776, -2_400, -2_032,
    -1_688, -1_360, -1_040, -728, 24_808, 21_904, 19_008, 16_704, 14_984, 13_512, 12_280, 11_192, 10_232, 9_360, 8_576,
    7_856, 7_192, 6_576, 6_000, 5_456, 4_944, 4_464, 4_008, 3_576, 3_168, 2_776, 2_400, 2_032, 1_688, 1_360, 1_040,
    728, 432, 136, -432, -136,
];
const LEVELS_4: [i32; 16] =
    [0, -20_456, -12_896, -8_968, -6_288, -4_240, -2_584, -1_200, 20_456, 12_896, 8_968, 6_288, 4_240, 2_584, 1_200, 0];
const LEVELS_2: [i32; 4] = [-7_408, -1_616, 7_408, 1_616];

/// What a code does to the logarithm of the scale factor, by the inner bits of the code.
const STEPS_LOW: [i32; 16] = [-60, 3_042, 1_198, 538, 334, 172, 58, -30, 3_042, 1_198, 538, 334, 172, 58, -30, -60];
const STEPS_HIGH: [i32; 4] = [798, -214, 798, -214];

/// 2,048 times 2 to the power of n / 32 (table 17).
const POWERS: [i32; 32] = [
    2_048, 2_093, 2_139, 2_186, 2_233, 2_282, 2_332, 2_383, 2_435, 2_489, 2_543, 2_599, 2_656, 2_714, 2_774, 2_834,
    2_896, 2_960, 3_025, 3_091, 3_158, 3_228, 3_298, 3_371, 3_444, 3_520, 3_597, 3_676, 3_756, 3_838, 3_922, 4_008,
];

/// Taps of a quadrature mirror filter.
const TAPS: usize = 24;

/// From 16 kHz to octets.
#[derive(Debug, Clone)]
pub struct Encoder {
    low: Band,
    high: Band,
    /// The newest input last.
    line: [i32; TAPS],
}

/// From octets to 16 kHz.
#[derive(Debug, Clone)]
pub struct Decoder {
    low: Band,
    high: Band,
    line: [i32; TAPS],
}

impl Default for Encoder {
    fn default() -> Self {
        Encoder { low: Band::new(32), high: Band::new(8), line: [0; TAPS] }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Decoder { low: Band::new(32), high: Band::new(8), line: [0; TAPS] }
    }
}

impl Encoder {
    /// The octet of the next two samples.
    pub fn encode(&mut self, samples: [i16; 2]) -> u8 {
        self.line.copy_within(2.., 0);
        self.line[TAPS - 2] = i32::from(samples[0]);
        self.line[TAPS - 1] = i32::from(samples[1]);
        let (odd, even) = mirrored(&self.line);
        let (low, high) = ((even + odd) >> 14, (even - odd) >> 14);
        let low_code = quantize_low(saturate(low - self.low.estimate), self.low.scale);
        self.low.adapt_low(low_code >> 2);
        let high_code = quantize_high(saturate(high - self.high.estimate), self.high.scale);
        self.high.adapt_high(high_code);
        (high_code << 6 | low_code) as u8
    }
}

impl Decoder {
    /// The two samples of an octet.
    pub fn decode(&mut self, code: u8) -> [i16; 2] {
        let (low_code, high_code) = (usize::from(code & 0x3f), usize::from(code >> 6));
        let low = limit(self.low.estimate + ((self.low.scale * LEVELS_6[low_code]) >> 15));
        self.low.adapt_low(low_code >> 2);
        let high = limit(self.high.estimate + ((self.high.scale * LEVELS_2[high_code]) >> 15));
        self.high.adapt_high(high_code);
        self.line.copy_within(2.., 0);
        self.line[TAPS - 2] = low + high;
        self.line[TAPS - 1] = low - high;
        let (odd, even) = mirrored(&self.line);
        [saturate(even >> 11) as i16, saturate(odd >> 11) as i16]
    }
}

/// The sums of the even and of the odd taps' products.
fn mirrored(line: &[i32; TAPS]) -> (i32, i32) {
    let (mut first, mut second) = (0, 0);
    for (n, pair) in line.chunks_exact(2).enumerate() {
        first += pair[0] * QMF[n];
        second += pair[1] * QMF[11 - n];
    }
    (first, second)
}

/// QUANTL.
fn quantize_low(error: i32, scale: i32) -> usize {
    let magnitude = if error >= 0 { error } else { -(error + 1) };
    let interval = DECISIONS_LOW[1..].partition_point(|level| magnitude >= (level * scale) >> 12) + 1;
    match (error < 0, interval) {
        (true, 1..=2) => 64 - interval,
        (true, _) => 34 - interval,
        (false, _) => 62 - interval,
    }
}

/// QUANTH.
fn quantize_high(error: i32, scale: i32) -> usize {
    let magnitude = if error >= 0 { error } else { -(error + 1) };
    let outer = magnitude >= (564 * scale) >> 12;
    match (error < 0, outer) {
        (true, true) => 0,
        (true, false) => 1,
        (false, true) => 2,
        (false, false) => 3,
    }
}

/// One band's predictor and adaptive scale, the same in coder and decoder.
#[derive(Debug, Clone)]
struct Band {
    /// s: what the next sample will be.
    estimate: i32,
    /// sz, from the zeros.
    from_zeros: i32,
    /// DET, and the logarithm (NB) that it comes from.
    scale: i32,
    log_scale: i32,
    /// Reconstructed and partially reconstructed signal, the newest first.
    reconstructed: [i32; 2],
    partial: [i32; 2],
    poles: [i32; 2],
    zeros: [i32; 6],
    /// Quantized differences, the newest first.
    differences: [i32; 6],
}

impl Band {
    fn new(scale: i32) -> Self {
        Band {
            estimate: 0,
            from_zeros: 0,
            scale,
            log_scale: 0,
            reconstructed: [0; 2],
            partial: [0; 2],
            poles: [0; 2],
            zeros: [0; 6],
            differences: [0; 6],
        }
    }

    /// INVQAL, LOGSCL, SCALEL and the predictor, by the four bits that survive 48 kbit/s.
    fn adapt_low(&mut self, code: usize) {
        let difference = (self.scale * LEVELS_4[code]) >> 15;
        self.log_scale = (((self.log_scale * 127) >> 7) + STEPS_LOW[code]).clamp(0, 18_432);
        self.scale = linear(self.log_scale, 8);
        self.predict(difference);
    }

    /// INVQAH, LOGSCH, SCALEH and the predictor.
    fn adapt_high(&mut self, code: usize) {
        let difference = (self.scale * LEVELS_2[code]) >> 15;
        self.log_scale = (((self.log_scale * 127) >> 7) + STEPS_HIGH[code]).clamp(0, 22_528);
        self.scale = linear(self.log_scale, 10);
        self.predict(difference);
    }

    /// RECONS, PARREC, UPPOL1, UPPOL2, UPZERO, DELAYA, FILTEP, FILTEZ, PREDIC.
    fn predict(&mut self, difference: i32) {
        let reconstructed = saturate(self.estimate + difference);
        let partial = saturate(self.from_zeros + difference);
        self.update_poles(partial);
        self.update_zeros(difference);
        self.differences.copy_within(..5, 1);
        self.differences[0] = difference;
        self.reconstructed = [reconstructed, self.reconstructed[0]];
        self.partial = [partial, self.partial[0]];
        let product = |signal: i32, weight: i32| (weight * saturate(signal * 2)) >> 15;
        let from_poles = product(self.reconstructed[0], self.poles[0]) + product(self.reconstructed[1], self.poles[1]);
        let from_zeros = self.differences.iter().zip(self.zeros).map(|(d, b)| product(*d, b)).sum();
        self.from_zeros = saturate(from_zeros);
        self.estimate = saturate(saturate(from_poles) + self.from_zeros);
    }

    fn update_poles(&mut self, partial: i32) {
        let same = |other: i32| (partial < 0) == (other < 0);
        let quadruple = saturate(self.poles[0] * 4);
        let towards = if same(self.partial[0]) { (-quadruple).min(32_767) } else { quadruple };
        let step = if same(self.partial[1]) { 128 } else { -128 };
        let second = ((towards >> 7) + step + ((self.poles[1] * 32_512) >> 15)).clamp(-12_288, 12_288);
        let step = if same(self.partial[0]) { 192 } else { -192 };
        let most = saturate(15_360 - second);
        let first = saturate(step + ((self.poles[0] * 32_640) >> 15)).clamp(-most, most);
        self.poles = [first, second];
    }

    fn update_zeros(&mut self, difference: i32) {
        let step = if difference == 0 { 0 } else { 128 };
        for (zero, old) in self.zeros.iter_mut().zip(self.differences) {
            let signed = if (difference < 0) == (old < 0) { step } else { -step };
            *zero = saturate(signed + ((*zero * 32_640) >> 15));
        }
    }
}

/// SCALEL, SCALEH: from the logarithm to four times the scale.
fn linear(log_scale: i32, bits: i32) -> i32 {
    let power = POWERS[(log_scale >> 6) as usize & 31];
    let shift = bits - (log_scale >> 11);
    (if shift < 0 { power << -shift } else { power >> shift }) << 2
}

fn saturate(value: i32) -> i32 {
    value.clamp(-32_768, 32_767)
}

/// LIMIT: 15 bits.
fn limit(value: i32) -> i32 {
    value.clamp(-16_384, 16_383)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(samples: &[i16]) -> Vec<i16> {
        let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
        samples.chunks_exact(2).flat_map(|pair| decoder.decode(encoder.encode([pair[0], pair[1]]))).collect()
    }

    fn tone(hz: f64, peak: f64, samples: usize) -> Vec<i16> {
        let step = hz * std::f64::consts::TAU / f64::from(SAMPLE_RATE_HZ);
        (0..samples).map(|n| (peak * (n as f64 * step).sin()) as i16).collect()
    }

    /// Of a tone, by the best shift (the two filters delay by 22 samples).
    fn snr_db(hz: f64) -> f64 {
        let clean = tone(hz, 10_000.0, 16_000);
        let heard = through(&clean);
        let delay = 22;
        let (mut signal, mut noise) = (0.0, 0.0);
        for n in 4_000..15_000 {
            let (clean, heard) = (f64::from(clean[n]), f64::from(heard[n + delay]));
            signal += clean * clean;
            noise += (clean - heard) * (clean - heard);
        }
        10.0 * (signal / noise).log10()
    }

    #[test]
    fn a_sweep_of_tones_keeps_its_quality() {
        for (hz, least) in [(200.0, 30.0), (1_000.0, 30.0), (3_000.0, 25.0), (5_000.0, 12.0), (6_500.0, 12.0)] {
            assert!(snr_db(hz) > least, "{hz} Hz: {} dB", snr_db(hz));
        }
    }

    /// Codes of a chirp with noise, and the samples that they decode to, as FFmpeg 5.1 gave them too, both ways.
    #[test]
    fn codes_and_samples_are_those_of_another_implementation() {
        let (input, hashes) = vector();
        let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
        let codes: Vec<u8> = input.chunks_exact(2).map(|pair| encoder.encode([pair[0], pair[1]])).collect();
        let samples: Vec<u8> = codes.iter().flat_map(|c| decoder.decode(*c)).flat_map(i16::to_le_bytes).collect();
        assert_eq!((fnv(&codes), fnv(&samples)), hashes);
    }

    /// Every second sample from a generator that needs no floating point, at a level that clips now and then.
    fn vector() -> (Vec<i16>, (u64, u64)) {
        let mut state = 1u32;
        let input = (0..32_000u32).map(|n| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (state >> 16) as i16 / 16;
            let saw = (n * n / 64) as i16;
            noise.saturating_add(saw / (1 + (n / 4_000) as i16))
        });
        (input.collect(), HASHES)
    }

    const HASHES: (u64, u64) = (10_245_118_779_478_162_471, 15_904_071_501_214_543_057);

    fn fnv(bytes: &[u8]) -> u64 {
        bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3))
    }
}
