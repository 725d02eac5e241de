//! Prompts as files: listed, heard, replaced one by one. What is replaced is kept in the data directory.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::dialplans::{BuiltIn, Directory};
use crate::clock::Wall;
use crate::dialplan::prompt::{self, CATALOGUE, Folder, Library};
use crate::media::wav;
use crate::quality::speech::{Ear, Scene, listen};

/// Longest and shortest prompt, ms.
const LENGTH_MS: std::ops::RangeInclusive<u64> = 200..=60_000;
/// Active speech level (ITU-T P.56): what a caller takes for a voice like the others.
const LEVEL_DBOV: std::ops::RangeInclusive<f64> = -36.0..=-10.0;
/// One sample in so many may be at full scale.
const CLIPPED_ONE_IN: usize = 1_000;

/// The prompts of the dialplans' directory and those that are built in.
#[derive(Debug, Clone)]
pub struct Prompts {
    /// `None`: dialplans and prompts are built in, and nothing can be replaced.
    own: Option<PathBuf>,
    kept: PathBuf,
}

/// A recording and what it says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Clip {
    pub language: String,
    pub text: String,
    /// As the catalogue names it.
    pub file: String,
    /// It lies beside the dialplans.
    pub is_own: bool,
}

/// Why a recording cannot be a prompt.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Unfit {
    /// As the reader says it.
    #[error("{0}")]
    Format(String),
    #[error("{0} samples a second, not 8,000 or 16,000")]
    Rate(u32),
    #[error("{0} ms long")]
    Length(u64),
    /// `None`: no speech.
    #[error("a speech level of {0:?} dBov")]
    Level(Option<f64>),
    #[error("{0} samples at full scale")]
    Clipped(usize),
}

#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    #[error("there is no such prompt")]
    Unknown,
    #[error("prompts are built in: name a directory of dialplans")]
    BuiltIn,
    #[error(transparent)]
    Unfit(#[from] Unfit),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What a replacement did, and how it is undone.
#[derive(Debug)]
pub struct Replaced {
    /// SHA-256 of the new file and of the one that was there.
    pub after: String,
    pub before: Option<String>,
    /// Where the old file is kept.
    pub kept: Option<PathBuf>,
    undo: Vec<(PathBuf, Option<Vec<u8>>)>,
}

/// What a prompt must be: mono, 16-bit PCM, 8 or 16 kHz, neither too short nor too long, as loud as a voice, and not clipped.
pub fn check(bytes: &[u8]) -> Result<(), Unfit> {
    let (samples, rate_hz) = wav::read_mono(bytes).map_err(Unfit::Format)?;
    if rate_hz != 8_000 && rate_hz != 16_000 {
        return Err(Unfit::Rate(rate_hz));
    }
    let length_ms = samples.len() as u64 * 1_000 / u64::from(rate_hz);
    if !LENGTH_MS.contains(&length_ms) {
        return Err(Unfit::Length(length_ms));
    }
    let clipped = samples.iter().filter(|sample| matches!(**sample, i16::MIN | i16::MAX)).count();
    if clipped * CLIPPED_ONE_IN > samples.len() {
        return Err(Unfit::Clipped(clipped));
    }
    let mut ear = Ear::new(rate_hz);
    ear.hear(&samples);
    let level = listen(&ear.finish(), None, &Scene::default()).caller.level_dbov;
    if level.is_some_and(|level| LEVEL_DBOV.contains(&level)) { Ok(()) } else { Err(Unfit::Level(level)) }
}

impl Prompts {
    /// `own`: of the dialplans, if they are not built in.
    pub fn new(own: Option<&Path>, data: &Path) -> Prompts {
        Prompts { own: own.map(Path::to_owned), kept: data.join("prompts") }
    }

    pub fn can_replace(&self) -> bool {
        self.own.is_some()
    }

    /// By language and text; where both folders have a file by the same name, the own one.
    pub fn all(&self) -> Vec<Clip> {
        let own = self.own.as_ref().map(|path| Directory(path.clone()));
        let mut all: BTreeSet<Clip> = BTreeSet::new();
        for language in self.languages() {
            let mut add = |folder: &dyn Folder, is_own| {
                for (text, file) in catalogue(folder, &language) {
                    let is_taken =
                        all.iter().any(|known| known.language == language && known.file == file && known.is_own);
                    if is_own || !is_taken {
                        all.insert(Clip { language: language.clone(), text, file, is_own });
                    }
                }
            };
            own.iter().for_each(|folder| add(folder, true));
            add(&BuiltIn, false);
        }
        all.into_iter().collect()
    }

    /// Lends a voice: what a text sounds like now at 8 kHz, in whichever language has it.
    pub fn with_voice<T>(&self, speak: impl FnOnce(&mut dyn FnMut(&str) -> Option<Arc<[i16]>>) -> T) -> T {
        let own = self.own.as_ref().map(|path| Directory(path.clone()));
        let folders = own.iter().map(|own| own as &dyn Folder).chain([&BuiltIn as &dyn Folder]).collect();
        let (mut library, languages) = (Library::new(folders), self.languages());
        speak(&mut |text| {
            let said = languages.iter().find_map(|language| library.say(language, text).ok())?;
            Some(Arc::clone(said.audio.narrow()))
        })
    }

    fn languages(&self) -> BTreeSet<String> {
        let folder = self.own.as_ref().map(|path| path.join("prompts"));
        let entries = folder.and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten().flatten();
        let own =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| !name.starts_with('.'));
        let built_in =
            BuiltIn::iter().filter_map(|name| Some(name.strip_prefix("prompts/")?.split_once('/')?.0.to_owned()));
        own.chain(built_in).collect()
    }

    fn find(&self, language: &str, file: &str) -> Result<Clip, PromptError> {
        let plain = |path: &str| Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        let clips = self.all().into_iter().filter(|_| plain(language) && plain(file));
        clips.into_iter().find(|clip| clip.language == language && clip.file == file).ok_or(PromptError::Unknown)
    }

    /// The file as it is.
    pub fn sound(&self, language: &str, file: &str) -> Result<Vec<u8>, PromptError> {
        let clip = self.find(language, file)?;
        let path = prompt::path(language, file);
        let own = self.own.as_ref().filter(|_| clip.is_own).map(|own| fs::read(own.join(&path))).transpose()?;
        own.or_else(|| BuiltIn::get(&path).map(|file| file.data.into_owned())).ok_or(PromptError::Unknown)
    }

    /// Puts another recording in the place of this one, beside the dialplans. Calls hear it once the configuration is read again.
    pub fn replace(&self, language: &str, file: &str, bytes: &[u8], at: Wall) -> Result<Replaced, PromptError> {
        let own = self.own.as_ref().ok_or(PromptError::BuiltIn)?;
        let clip = self.find(language, file)?;
        check(bytes)?;
        let path = own.join(prompt::path(language, file));
        let before = self.sound(language, file).ok();
        let old = if clip.is_own { before.clone() } else { None };
        let mut undo = vec![(path.clone(), old.clone())];
        let kept = old.map(|old| self.keep(language, file, &old, at)).transpose()?;
        write(&path, bytes)?;
        if !clip.is_own {
            let catalogue = own.join(prompt::path(language, CATALOGUE));
            let known = match fs::read(&catalogue) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                read => Some(read?),
            };
            let lines = self.all().into_iter().filter(|other| other.language == language && other.file == file);
            let lines: String = lines.map(|clip| format!("{}\t{}\n", clip.text, clip.file)).collect();
            let mut text = known.clone().unwrap_or_default();
            if text.last().is_some_and(|last| *last != b'\n') {
                text.push(b'\n');
            }
            text.extend_from_slice(lines.as_bytes());
            undo.push((catalogue.clone(), known));
            write(&catalogue, &text)?;
        }
        let hash = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|octet| format!("{octet:02x}")).collect();
        Ok(Replaced { after: hash(bytes), before: before.as_deref().map(hash), kept, undo })
    }

    fn keep(&self, language: &str, file: &str, bytes: &[u8], at: Wall) -> io::Result<PathBuf> {
        let path = self.kept.join(at.as_micros().to_string()).join(language).join(file);
        write(&path, bytes)?;
        Ok(path)
    }

    /// As it was before: the configuration with the new one was refused.
    pub fn undo(&self, replaced: &Replaced) -> io::Result<()> {
        replaced.undo.iter().try_for_each(|(path, before)| match before {
            Some(bytes) => write(path, bytes),
            None => fs::remove_file(path),
        })
    }
}

fn catalogue(folder: &dyn Folder, language: &str) -> Vec<(String, String)> {
    let bytes = folder.read(&prompt::path(language, CATALOGUE)).ok().flatten().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().filter_map(prompt::line).map(|(text, file)| (text.to_owned(), file.to_owned()));
    lines.collect()
}

/// As a whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let part = path.with_extension("part");
    let mut file = fs::File::create(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(part, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Wall = Wall::from_micros(1_793_462_400_000_000);

    /// What people would hear of this file.
    fn built_in(file: &str) -> Vec<u8> {
        BuiltIn::get(&format!("prompts/zh-CN/{file}")).unwrap().data.into_owned()
    }

    #[test]
    fn what_is_no_prompt_is_refused_with_the_reason() {
        check(&built_in("greet/property/8.wav")).unwrap();
        let (speech, rate) = wav::read_mono(built_in("greet/property/8.wav").as_slice()).unwrap();
        let scaled = |by: f64| speech.iter().map(|s| (f64::from(*s) * by) as i16).collect::<Vec<_>>();
        let of = |samples: &[i16], rate, channels| check(&wav::file_of(samples, rate, channels)).unwrap_err();
        assert!(matches!(check(b"no WAV").unwrap_err(), Unfit::Format(_)));
        assert!(matches!(of(&speech, rate, 2), Unfit::Format(_)));
        assert_eq!(of(&speech, 44_100, 1), Unfit::Rate(44_100));
        assert_eq!(of(&speech[..800], 8_000, 1), Unfit::Length(100));
        assert_eq!(of(&vec![0; 8_000 * 61], 8_000, 1), Unfit::Length(61_000));
        assert_eq!(of(&vec![0; 8_000], 8_000, 1), Unfit::Level(None));
        assert!(matches!(of(&scaled(0.05), rate, 1), Unfit::Level(Some(_))));
        assert!(matches!(of(&scaled(60.0), rate, 1), Unfit::Clipped(_)));
    }

    #[test]
    fn the_old_one_is_kept_and_a_replacement_can_be_undone() {
        let (plans, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let prompts = Prompts::new(Some(plans.path()), data.path());
        let (file, another) = ("greet/property/8.wav", built_in("greet/property/9.wav"));
        let is_it = |clip: &Clip| (clip.language.as_str(), clip.file.as_str()) == ("zh-CN", file);
        let of = |prompts: &Prompts| prompts.all().into_iter().find(is_it).unwrap();
        assert!(!of(&prompts).is_own);
        let first = prompts.replace("zh-CN", file, &another, AT).unwrap();
        assert!(of(&prompts).is_own && first.kept.is_none() && first.before.is_some());
        assert_eq!(prompts.sound("zh-CN", file).unwrap(), another);
        let second = prompts.replace("zh-CN", file, &built_in(file), AT).unwrap();
        assert_eq!(fs::read(second.kept.as_ref().unwrap()).unwrap(), another, "the old one is kept");
        prompts.undo(&second).unwrap();
        assert_eq!(prompts.sound("zh-CN", file).unwrap(), another);
        prompts.undo(&first).unwrap();
        assert!(!of(&prompts).is_own);
        assert_eq!(prompts.sound("zh-CN", file).unwrap(), built_in(file));
        for unknown in ["../../hotline.toml", "no.wav", "/etc/passwd"] {
            assert!(matches!(prompts.replace("zh-CN", unknown, &another, AT), Err(PromptError::Unknown)), "{unknown}");
        }
        let fixed = Prompts::new(None, data.path());
        assert!(matches!(fixed.replace("zh-CN", file, &another, AT), Err(PromptError::BuiltIn)));
    }
}
