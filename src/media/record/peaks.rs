//! The waveform of a recording, computed once when it is closed: `<id>.peaks` beside it, for whoever draws it.
//!
//! ```text
//! offset 0   4 octets  "HLPK"
//!        4   u8        version, 1
//!        5   u8        channels, 2
//!        6   u16       milliseconds of a bucket, 100
//!        8   u32       buckets; the last one may be shorter
//!       12   u32       clipped samples of the left channel
//!       16   u32       clipped samples of the right channel
//!       20   4 octets  for each bucket: least and greatest sample of the left channel, then of the right, each an i8: the sample's
//!                      upper octet
//! ```
//!
//! All numbers are little-endian. An hour has 144 kB.

/// Of a bucket.
const BUCKET_MS: u16 = 100;

/// A-law reaches 32,256 and µ-law 32,124 (ITU-T G.711 tables 1 and 2): from there on a sample may have been cut off.
const CLIPS_FROM: u16 = 32_124;

/// So many in a row are a peak cut off; fewer may be a peak that just fits.
const CLIPS_RUN: u32 = 3;

/// Frames in, the file out.
#[derive(Debug)]
pub struct Peaks {
    per_bucket: u32,
    in_bucket: u32,
    bounds: [(i16, i16); 2],
    /// Samples at the edge in a row, by channel.
    run: [u32; 2],
    clipped: [u32; 2],
    buckets: Vec<u8>,
}

impl Peaks {
    pub fn new(rate_hz: u32) -> Peaks {
        let per_bucket = (rate_hz / 1_000 * u32::from(BUCKET_MS)).max(1);
        Peaks { per_bucket, in_bucket: 0, bounds: [NOTHING; 2], run: [0; 2], clipped: [0; 2], buckets: Vec::new() }
    }

    /// One frame: left and right.
    pub fn frame(&mut self, samples: [i16; 2]) {
        for (channel, sample) in samples.into_iter().enumerate() {
            let (least, most) = &mut self.bounds[channel];
            (*least, *most) = ((*least).min(sample), (*most).max(sample));
            self.count_clipped(channel, sample);
        }
        self.in_bucket += 1;
        if self.in_bucket == self.per_bucket {
            self.end_bucket();
        }
    }

    /// Samples of each channel that belong to a run of three or more at the edge of what G.711 can say.
    pub fn clipped(&self) -> [u32; 2] {
        self.clipped
    }

    /// The whole file.
    pub fn finish(mut self) -> Vec<u8> {
        if self.in_bucket > 0 {
            self.end_bucket();
        }
        let mut out = b"HLPK\x01\x02".to_vec();
        out.extend(BUCKET_MS.to_le_bytes());
        let buckets = u32::try_from(self.buckets.len() / 4).unwrap_or(u32::MAX);
        for number in [buckets, self.clipped[0], self.clipped[1]] {
            out.extend(number.to_le_bytes());
        }
        out.append(&mut self.buckets);
        out
    }

    fn count_clipped(&mut self, channel: usize, sample: i16) {
        let run = &mut self.run[channel];
        *run = if sample.unsigned_abs() >= CLIPS_FROM { run.saturating_add(1) } else { 0 };
        let more = match (*run).cmp(&CLIPS_RUN) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal => CLIPS_RUN,
            std::cmp::Ordering::Greater => 1,
        };
        self.clipped[channel] = self.clipped[channel].saturating_add(more);
    }

    fn end_bucket(&mut self) {
        for (least, most) in std::mem::replace(&mut self.bounds, [NOTHING; 2]) {
            self.buckets.extend([upper(least), upper(most)]);
        }
        self.in_bucket = 0;
    }
}

/// Of a bucket without a sample.
const NOTHING: (i16, i16) = (i16::MAX, i16::MIN);

fn upper(sample: i16) -> u8 {
    sample.to_le_bytes()[1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_and_greatest_of_each_tenth_of_a_second() {
        let mut peaks = Peaks::new(8_000);
        for n in 0..2_000 {
            peaks.frame([if n == 900 { -20_000 } else { 0 }, if n < 800 { 256 } else { -256 }]);
        }
        let file = peaks.finish();
        assert_eq!(file[..8], *b"HLPK\x01\x02\x64\x00");
        assert_eq!(u32::from_le_bytes(file[8..12].try_into().unwrap()), 3, "the last one is half full");
        let buckets: Vec<i8> = file[20..].iter().map(|byte| byte.cast_signed()).collect();
        assert_eq!(buckets, [0, 0, 1, 1, -79, 0, -1, -1, 0, 0, -1, -1]);
    }

    #[test]
    fn runs_at_the_edge_are_clipped_and_single_peaks_are_not() {
        let mut peaks = Peaks::new(16_000);
        let left = [0, 32_124, 0, 32_256, 32_256, 0, -32_768, 32_767, 32_124, -32_124, 0];
        for sample in left {
            peaks.frame([sample, 32_123]);
        }
        assert_eq!(peaks.clipped(), [4, 0]);
        let file = peaks.finish();
        assert_eq!((file.len(), file[12], file[16]), (24, 4, 0));
    }
}
