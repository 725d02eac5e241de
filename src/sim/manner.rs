//! How a caller sounds where no packets flow: what a bridge would tell of it once a second.

use crate::media::Stretch;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Speaks,
    /// Packets come, and nothing is in them.
    Silent,
    /// Nothing can be told from the noise.
    Noisy,
}

/// The first digits of the numbers of each.
const NUMBERS: [(Manner, &str); 3] = [(Manner::Speaks, "139"), (Manner::Silent, "138"), (Manner::Noisy, "137")];

impl Manner {
    /// The number of a caller of this manner.
    pub fn number(self, lot: u32) -> String {
        let prefix = NUMBERS.iter().find(|(manner, _)| *manner == self).map_or("139", |(_, prefix)| *prefix);
        format!("{prefix}{lot:08}")
    }

    /// By the number alone, which the switch knows too.
    pub fn of(number: &str) -> Manner {
        NUMBERS.iter().find(|(_, prefix)| number.starts_with(prefix)).map_or(Manner::Speaks, |(manner, _)| *manner)
    }

    /// A second of it.
    pub fn second(self) -> Stretch {
        let line = |voice_ms, active_dbov, loudest_dbov, floor_dbov| Stretch {
            lasted_ms: 1_000,
            sound_ms: voice_ms,
            tone_ms: 0,
            voice_ms,
            active_dbov,
            loudest_dbov,
            floor_dbov,
            comes: true,
        };
        match self {
            Manner::Speaks => line(800, Some(-25.0), -20.0, -65.0),
            Manner::Silent => line(0, None, -68.0, -70.0),
            Manner::Noisy => line(0, None, -26.0, -28.0),
        }
    }
}
