//! Prompts: from a text to the audio that says it.
//!
//! The recordings lie in `prompts/<language>/` of a folder; `catalogue.tsv` there has one line a recording: text, tab,
//! file. The dialplans' own folder comes before the built-in set, and a text that it can say alone is said by it
//! alone, so that one call is not spoken with two voices.
//!
//! The same floor is called for two things: `media::wav`, because WAV files are read in one place only, and `media::Clip`, which is
//! what media threads play.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::calendar::Calendar;
use super::cut::{Cut, Texts};
use super::join::join;
use super::plan::Prompt;
use super::spoken::Tongue;
use crate::fault::Fault;
use crate::media::{Clip, SAMPLE_RATE_HZ, wav};
use crate::written::text_of;

/// A place that holds files; `io` implements it for directories and for what is built into the binary.
pub trait Folder {
    /// What faults call the file at `path`.
    fn shown(&self, path: &str) -> String;
    /// The file's bytes; `None` if there is no such file, an error if it cannot be read.
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String>;
}

/// The recordings of all languages, read when they are needed, each once.
pub struct Library<'f> {
    /// In the order in which they are searched.
    folders: Vec<&'f dyn Folder>,
    catalogues: BTreeMap<String, Arc<Catalogue>>,
    clips: BTreeMap<ClipKey, Option<Clip>>,
    calendars: BTreeMap<String, Option<Arc<Calendar>>>,
    joined: BTreeMap<Vec<ClipKey>, Clip>,
    faults: BTreeSet<Fault>,
}

/// Why a text cannot be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsaid {
    /// No folder has recordings in this language.
    NoCatalogue,
    /// These stretches of the text have no recording.
    Uncovered(Vec<String>),
    /// A recording is at fault; see [`Library::into_faults`].
    BadRecording,
}

/// No folder has this calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoCalendar;

impl<'f> Library<'f> {
    pub fn new(folders: Vec<&'f dyn Folder>) -> Self {
        Library {
            folders,
            catalogues: BTreeMap::new(),
            clips: BTreeMap::new(),
            calendars: BTreeMap::new(),
            joined: BTreeMap::new(),
            faults: BTreeSet::new(),
        }
    }

    /// A text, its placeholders filled in, as audio.
    pub fn say(&mut self, language: &str, text: &str) -> Result<Prompt, Unsaid> {
        let catalogue = self.catalogue(language);
        if catalogue.entries.is_empty() {
            return Err(Unsaid::NoCatalogue);
        }
        let cut = catalogue.cut(text, Tongue::of(language));
        if !cut.uncovered.is_empty() || cut.entries.is_empty() {
            let of = |range: &Range<usize>| text[range.clone()].to_owned();
            return Err(Unsaid::Uncovered(cut.uncovered.iter().map(of).collect()));
        }
        let entries: Vec<&Entry> = cut.entries.iter().map(|i| &catalogue.entries[*i]).collect();
        let audio = self.audio(language, &entries).ok_or(Unsaid::BadRecording)?;
        let files = entries.iter().map(|e| e.file.clone()).collect();
        Ok(Prompt { text: text.to_owned(), files, audio })
    }

    /// What the first folder that has this file calls it, and its bytes.
    pub(super) fn file(&self, path: &str) -> Option<(String, Result<Vec<u8>, String>)> {
        self.folders.iter().find_map(|folder| folder.read(path).transpose().map(|bytes| (folder.shown(path), bytes)))
    }

    /// The calendar at `path`; `None`: it has its faults.
    pub(super) fn calendar(&mut self, name: &str, path: &str) -> Result<Option<Arc<Calendar>>, NoCalendar> {
        if let Some(known) = self.calendars.get(name) {
            return Ok(known.clone());
        }
        let (shown, bytes) = self.file(path).ok_or(NoCalendar)?;
        let found = bytes.map(|bytes| Calendar::read(name, &shown, &bytes));
        let (calendar, faults) = match found {
            Ok((calendar, faults)) => (faults.is_empty().then(|| Arc::new(calendar)), faults),
            Err(e) => (None, vec![Fault::new(shown, 1, e, "make it readable")]),
        };
        self.faults.extend(faults);
        self.calendars.insert(name.to_owned(), calendar.clone());
        Ok(calendar)
    }

    /// Faults of the catalogues and recordings that were used.
    pub fn into_faults(self) -> Vec<Fault> {
        self.faults.into_iter().collect()
    }

    /// Equal rows of recordings share their audio.
    fn audio(&mut self, language: &str, entries: &[&Entry]) -> Option<Clip> {
        let keys: Vec<ClipKey> = entries.iter().map(|e| (e.folder, path(language, &e.file))).collect();
        if let Some(audio) = self.joined.get(&keys) {
            return Some(audio.clone());
        }
        // All are read before the first that is missing ends it: every fault at once.
        let clips: Vec<Option<Clip>> =
            keys.iter().zip(entries).map(|(key, entry)| self.clip(key, language, entry)).collect();
        let clips: Vec<Clip> = clips.into_iter().collect::<Option<_>>()?;
        let audio = match clips.as_slice() {
            [only] => only.clone(),
            several => joined(several),
        };
        self.joined.insert(keys, audio.clone());
        Some(audio)
    }

    fn clip(&mut self, key: &ClipKey, language: &str, entry: &Entry) -> Option<Clip> {
        if let Some(known) = self.clips.get(key) {
            return known.clone();
        }
        let folder = self.folders[key.0];
        let clip = match read_clip(folder, &key.1) {
            Ok(clip) => Some(clip),
            Err((what, hint)) => {
                let catalogue = folder.shown(&path(language, CATALOGUE));
                self.faults.insert(Fault::new(catalogue, entry.line, format!("\"{}\" {what}", entry.file), hint));
                None
            }
        };
        self.clips.insert(key.clone(), clip.clone());
        clip
    }

    fn catalogue(&mut self, language: &str) -> Arc<Catalogue> {
        if let Some(known) = self.catalogues.get(language) {
            return known.clone();
        }
        let mut catalogue = Catalogue::default();
        for (number, folder) in self.folders.iter().enumerate() {
            self.faults.extend(catalogue.add(number, *folder, language));
        }
        let catalogue = Arc::new(catalogue);
        self.catalogues.insert(language.to_owned(), catalogue.clone());
        catalogue
    }
}

pub const CATALOGUE: &str = "catalogue.tsv";

/// Which folder, and the path in it.
type ClipKey = (usize, String);

/// From the folder, as the catalogue of the language names it.
pub fn path(language: &str, file: &str) -> String {
    format!("prompts/{language}/{file}")
}

/// All texts of one language.
#[derive(Debug, Default)]
struct Catalogue {
    entries: Vec<Entry>,
    /// The texts of the first folder, of the first two, and so on.
    texts: Vec<Texts>,
}

/// Text and file of a line of a catalogue; `None`: it has none.
pub fn line(written: &str) -> Option<(&str, &str)> {
    let mut fields = written.split('\t').map(str::trim);
    let (text, file) = (fields.next()?, fields.next()?);
    let is_entry = !text.is_empty() && !file.is_empty() && !text.starts_with('#') && (text, file) != ("text", "file");
    is_entry.then_some((text, file))
}

#[derive(Debug)]
struct Entry {
    folder: usize,
    /// As the catalogue names it, from the language's folder.
    file: String,
    /// Its line in the catalogue.
    line: u32,
}

impl Catalogue {
    /// The cut that the fewest folders suffice for; if none suffices, that of all.
    fn cut(&self, text: &str, tongue: Tongue) -> Cut {
        let mut last = Cut { entries: Vec::new(), uncovered: Vec::new() };
        for texts in &self.texts {
            last = texts.cut(text, tongue);
            if last.uncovered.is_empty() && !last.entries.is_empty() {
                break;
            }
        }
        last
    }

    fn add(&mut self, number: usize, folder: &dyn Folder, language: &str) -> Vec<Fault> {
        let path = path(language, CATALOGUE);
        let shown = folder.shown(&path);
        let bytes = match folder.read(&path) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Vec::new(),
            Err(e) => return vec![Fault::new(shown, 1, e, "make it readable")],
        };
        let text = match text_of(&shown, &bytes) {
            Ok(text) => text,
            Err(fault) => return vec![fault],
        };
        self.texts.push(self.texts.last().cloned().unwrap_or_default());
        let mut faults = Vec::new();
        for (line, written) in (1..).zip(text.lines()) {
            let written = written.trim_end();
            if written.is_empty() || written.starts_with('#') || written == "text\tfile" {
                continue;
            }
            if !self.entry(number, line, written) {
                let hint = "a line is: text, one tab, file";
                faults.push(Fault::new(shown.as_str(), line, "not a text and a file", hint));
            }
        }
        faults
    }

    /// False if the line is not an entry.
    fn entry(&mut self, folder: usize, line: u32, written: &str) -> bool {
        let (Some((text, file)), Some(texts)) = (self::line(written), self.texts.last_mut()) else { return false };
        if !texts.add(text, self.entries.len()) {
            return false;
        }
        self.entries.push(Entry { folder, file: file.to_owned(), line });
        true
    }
}

/// At 16 kHz only if all of them are.
fn joined(clips: &[Clip]) -> Clip {
    let wide: Option<Vec<&[i16]>> = clips.iter().map(|clip| Some(&clip.wide()?[..])).collect();
    match wide {
        Some(pieces) => Clip::wideband(join(&pieces, 2 * SAMPLE_RATE_HZ)),
        None => join(&clips.iter().map(|clip| &clip[..]).collect::<Vec<_>>(), SAMPLE_RATE_HZ).into(),
    }
}

/// The sound of a recording; or what is wrong with it, and the hint.
fn read_clip(folder: &dyn Folder, path: &str) -> Result<Clip, (String, &'static str)> {
    const FORMAT: &str = "make it mono, 16-bit PCM, 8,000 or 16,000 Hz (sox in.wav -r 8000 -b 16 -c 1 out.wav)";
    let bytes = folder.read(path).map_err(|e| (e, "make it readable"))?;
    let bytes = bytes.ok_or_else(|| ("is missing".to_owned(), "put the recording there, or remove the line"))?;
    let (samples, rate) = wav::read_mono(bytes.as_slice()).map_err(|e| (e, FORMAT))?;
    match rate {
        SAMPLE_RATE_HZ => Ok(samples.into()),
        16_000 => Ok(Clip::wideband(samples)),
        other => Err((format!("has {other} samples a second"), FORMAT)),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Files in memory.
    #[derive(Default)]
    pub(in crate::dialplan) struct Memory(pub(in crate::dialplan) BTreeMap<String, Vec<u8>>);

    impl Folder for Memory {
        fn shown(&self, path: &str) -> String {
            path.to_owned()
        }

        fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
            Ok(self.0.get(path).cloned())
        }
    }

    impl Memory {
        /// A folder with a catalogue and a WAV of 0.1 s for each `(text, file)`; each has a level of its own.
        pub(in crate::dialplan) fn with(language: &str, entries: &[(&str, &str)]) -> Memory {
            let mut memory = Memory::default();
            let mut catalogue = String::new();
            for (n, (text, file)) in (1..).zip(entries) {
                catalogue.push_str(&format!("{text}\t{file}\n"));
                memory.0.insert(format!("prompts/{language}/{file}"), wav::file_of(&[n * 100; 800], 8_000, 1));
            }
            memory.0.insert(format!("prompts/{language}/catalogue.tsv"), catalogue.into_bytes());
            memory
        }
    }

    #[test]
    fn says_a_text_and_shares_the_audio() {
        let own = Memory::with("zh-CN", &[("您好", "hello.wav"), ("八", "8.wav"), ("号", "no.wav")]);
        let mut library = Library::new(vec![&own]);
        let first = library.say("zh-CN", "您好,8号").unwrap();
        let second = library.say("zh-CN", "您好!八号。").unwrap();
        assert_eq!(first.files, ["hello.wav", "8.wav", "no.wav"]);
        assert!(Arc::ptr_eq(first.audio.narrow(), second.audio.narrow()));
        assert_eq!(first.audio.len(), 3 * 800);
        assert_eq!(library.say("zh-CN", "您好,9号").unwrap_err(), Unsaid::Uncovered(vec!["9".into()]));
        assert_eq!(library.say("de", "8").unwrap_err(), Unsaid::NoCatalogue);
        assert!(library.into_faults().is_empty());
    }

    #[test]
    fn the_own_folder_first_and_alone_if_it_can() {
        let own = Memory::with("zh-CN", &[("您好", "own/hello.wav"), ("八号", "own/8.wav")]);
        let built_in = Memory::with("zh-CN", &[("您好八号", "whole.wav"), ("九号", "9.wav"), ("您好", "hello.wav")]);
        let mut library = Library::new(vec![&own, &built_in]);
        assert_eq!(library.say("zh-CN", "您好,8号").unwrap().files, ["own/hello.wav", "own/8.wav"]);
        assert_eq!(library.say("zh-CN", "您好,9号").unwrap().files, ["own/hello.wav", "9.wav"]);
    }

    #[test]
    fn sixteen_kilohertz_is_halved_and_other_rates_are_faults() {
        let mut own = Memory::with("en", &[("a", "a.wav"), ("b", "b.wav"), ("c", "c.wav"), ("d", "d.wav")]);
        own.0.insert("prompts/en/a.wav".into(), wav::file_of(&[500; 1_600], 16_000, 1));
        own.0.insert("prompts/en/b.wav".into(), wav::file_of(&[500; 1_600], 44_100, 1));
        own.0.insert("prompts/en/c.wav".into(), wav::file_of(&[500; 1_600], 8_000, 2));
        own.0.remove("prompts/en/d.wav");
        let mut library = Library::new(vec![&own]);
        let said = library.say("en", "a").unwrap().audio;
        assert_eq!((said.len(), said.wide().map(|wide| wide.len())), (800, Some(1_600)));
        assert_eq!(library.say("en", "b c d").unwrap_err(), Unsaid::BadRecording);
        let faults: Vec<String> = library.into_faults().iter().map(|f| format!("{}: {}", f.line, f.what)).collect();
        let expected = [
            "2: \"b.wav\" has 44100 samples a second",
            "3: \"c.wav\" has 2 channels, not one",
            "4: \"d.wav\" is missing",
        ];
        assert_eq!(faults, expected);
    }

    #[test]
    fn what_is_joined_has_16_khz_if_all_of_it_has() {
        let mut own = Memory::with("en", &[("a", "a.wav"), ("b", "b.wav"), ("c", "c.wav")]);
        for file in ["a", "b"] {
            own.0.insert(format!("prompts/en/{file}.wav"), wav::file_of(&[500; 1_600], 16_000, 1));
        }
        let mut library = Library::new(vec![&own]);
        let lengths = |said: Clip| (said.len(), said.wide().map(|wide| wide.len()));
        assert_eq!(lengths(library.say("en", "a b").unwrap().audio), (1_600, Some(3_200)));
        assert_eq!(lengths(library.say("en", "a b c").unwrap().audio), (2_400, None));
        let [wide, narrow] = ["a", "c"].map(|text| library.say("en", text).unwrap().audio);
        assert_eq!(lengths(wide.followed_by(&wide)), (1_600, Some(3_200)));
        assert_eq!(lengths(wide.followed_by(&narrow)), (1_600, None));
    }

    proptest::proptest! {
        #[test]
        fn no_damage_to_a_recording_makes_the_reader_panic(at in 0..60usize, length in 0..8usize, put: Vec<u8>) {
            let mut bytes = wav::file_of(&[500; 100], 8_000, 1);
            bytes.splice(at..at + length, put);
            let _ = wav::read_mono(bytes.as_slice());
        }
    }

    #[test]
    fn faults_of_a_catalogue() {
        let mut own = Memory::with("en", &[("a", "a.wav")]);
        let catalogue = "text\tfile\n# comment\n\na\ta.wav\tnote\nno file\n!?\tb.wav\nb\t\n";
        own.0.insert("prompts/en/catalogue.tsv".into(), catalogue.into());
        let mut library = Library::new(vec![&own]);
        assert!(library.say("en", "a").is_ok());
        let lines: Vec<u32> = library.into_faults().iter().map(|f| f.line).collect();
        assert_eq!(lines, [5, 6, 7]);
    }
}
