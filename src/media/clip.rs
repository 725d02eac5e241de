//! Sound that is played: prompts and tones.

use std::ops::Deref;
use std::sync::Arc;

use crate::protocol::audio::resample;

/// Samples of 16 bit at 8 kHz, which it is taken for, and at 16 kHz where it was recorded so. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clip {
    narrow: Arc<[i16]>,
    /// Two samples for each of `narrow`.
    wide: Option<Arc<[i16]>>,
}

impl Clip {
    /// Of 16 kHz; what is above 4 kHz in it only wideband legs hear. A single sample at the end is left out.
    pub fn wideband(mut samples: Vec<i16>) -> Clip {
        samples.truncate(samples.len() & !1);
        Clip { narrow: resample::halve(&samples).into(), wide: Some(samples.into()) }
    }

    pub fn narrow(&self) -> &Arc<[i16]> {
        &self.narrow
    }

    pub fn wide(&self) -> Option<&Arc<[i16]>> {
        self.wide.as_ref()
    }

    /// This one and then the other; wideband if both are.
    pub fn followed_by(&self, other: &Clip) -> Clip {
        let both = |one: &[i16], two: &[i16]| [one, two].concat().into();
        Clip {
            narrow: both(&self.narrow, &other.narrow),
            wide: self.wide.as_ref().zip(other.wide.as_ref()).map(|(one, two)| both(one, two)),
        }
    }
}

impl Deref for Clip {
    type Target = [i16];

    fn deref(&self) -> &[i16] {
        &self.narrow
    }
}

impl From<Arc<[i16]>> for Clip {
    fn from(narrow: Arc<[i16]>) -> Clip {
        Clip { narrow, wide: None }
    }
}

impl From<Vec<i16>> for Clip {
    fn from(narrow: Vec<i16>) -> Clip {
        Clip::from(Arc::from(narrow))
    }
}

impl From<&[i16]> for Clip {
    fn from(narrow: &[i16]) -> Clip {
        Clip::from(Arc::from(narrow))
    }
}
