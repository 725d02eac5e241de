//! Where dialplans and prompts are read from: a directory, or the set built into the binary.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rust_embed::RustEmbed;

use crate::dialplan::compile::PlanFile;
use crate::dialplan::prompt::Folder;
use crate::fault::Fault;

/// A directory of dialplans.
#[derive(Debug, Clone)]
pub struct Directory(pub PathBuf);

impl Directory {
    /// The hotlines: every `*.toml` directly in the directory, by name. Folders below it hold other things.
    pub fn hotlines(&self) -> Result<Vec<PlanFile>, Vec<Fault>> {
        let shown = self.0.display().to_string();
        let whole = |what: String, hint: &str| vec![Fault::new(shown.as_str(), 1, what, hint)];
        let names = names(&self.0).map_err(|e| whole(e.to_string(), "name a directory that holds dialplans"))?;
        if names.is_empty() {
            return Err(whole("no dialplan (*.toml) in it".to_owned(), "add one; dialplans/README.md shows how"));
        }
        let mut files = Vec::new();
        let mut faults = Vec::new();
        for name in names {
            let path = self.0.join(name);
            let name = path.display().to_string();
            match std::fs::read(&path) {
                Ok(bytes) => files.push(PlanFile { name, bytes }),
                Err(e) => faults.push(Fault::new(name, 1, e.to_string(), "make it readable")),
            }
        }
        if faults.is_empty() { Ok(files) } else { Err(faults) }
    }
}

impl Folder for Directory {
    fn shown(&self, path: &str) -> String {
        self.0.join(path).display().to_string()
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        match std::fs::read(self.0.join(path)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e.to_string()),
        }
    }
}

/// The names of the dialplans, sorted, hidden files left out (editors leave those).
fn names(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && path.extension().is_some_and(|e| e == "toml") && path.is_file() {
            names.extend(path.file_name().map(PathBuf::from));
        }
    }
    names.sort();
    Ok(names)
}

/// The dialplans and prompts of the top-level folder `dialplans/`, as they were when the binary was built.
#[derive(Debug, Clone, Copy, RustEmbed)]
#[folder = "dialplans/"]
pub struct BuiltIn;

/// What a gateway without dialplans runs.
const DEFAULT: [&str; 2] = ["property.toml", "software.toml"];

impl BuiltIn {
    pub fn hotlines() -> Vec<PlanFile> {
        BuiltIn::files(|name| DEFAULT.contains(&name))
    }

    /// Sixteen hotlines to choose from, each as its rule book asks.
    pub fn examples() -> Vec<PlanFile> {
        BuiltIn::files(|name| !DEFAULT.contains(&name))
    }

    fn files(wanted: impl Fn(&str) -> bool) -> Vec<PlanFile> {
        let is_plan = |name: &str| name.ends_with(".toml") && !name.contains('/');
        let mut names: Vec<_> = BuiltIn::iter().filter(|name| is_plan(name) && wanted(name)).collect();
        names.sort();
        let file = |name: &str| BuiltIn::get(name).map(|f| (name.to_owned(), f.data.into_owned()));
        names
            .iter()
            .filter_map(|name| file(name))
            .map(|(name, bytes)| PlanFile { name: BuiltIn.shown(&name), bytes })
            .collect()
    }
}

impl Folder for BuiltIn {
    fn shown(&self, path: &str) -> String {
        format!("<built-in>/{path}")
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(BuiltIn::get(path).map(|file| file.data.into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialplan::compile::compile;
    use crate::dialplan::plan::Plans;
    use crate::dialplan::prompt::Library;
    use crate::ids::AgentNo;

    /// The built-in plans with other agents.
    fn with_agents(numbers: &[String]) -> Plans {
        let list = format!("numbers = [\"{}\"]\n", numbers.join("\", \""));
        let mut files = BuiltIn::hotlines();
        for file in &mut files {
            let text = String::from_utf8(std::mem::take(&mut file.bytes)).unwrap();
            let (head, _) = text.split_once("[agents]\n").unwrap();
            file.bytes = format!("{head}[agents]\n{list}").into_bytes();
        }
        let (plans, faults) = compile(&files, Library::new(vec![&BuiltIn]), None, &[]);
        assert_eq!(faults, []);
        plans
    }

    #[test]
    fn the_built_in_set_has_no_fault() {
        let (plans, faults) = compile(&BuiltIn::hotlines(), Library::new(vec![&BuiltIn]), None, &[]);
        assert_eq!(faults, []);
        let property = &plans.by_number["4008001234"];
        let eight = &property.greeting.by_agent[&AgentNo::from("8")];
        assert_eq!(eight.normal.files, ["greet/property/8.wav"]);
        assert_eq!(eight.late.files, ["late.neutral.wav", "greet/property/8.wav"]);
        let software = &plans.by_number["4008005678"];
        let eight = &software.greeting.by_agent[&AgentNo::from("8")];
        assert_eq!(
            eight.late.files,
            [
                "late.neutral.wav",
                "piece.thanks.wav",
                "org.software.wav",
                "piece.agent.wav",
                "digit.8.wav",
                "piece.speaking.wav"
            ]
        );
    }

    #[test]
    fn the_built_in_set_names_any_agent() {
        let mut numbers: Vec<String> = (0..=999).map(|n| n.to_string()).collect();
        numbers.extend(["00", "08", "1001", "20268", "4008001234", "0000000000000000"].map(str::to_owned));
        let plans = with_agents(&numbers);
        for hotline in &plans.hotlines {
            assert_eq!(hotline.greeting.by_agent.len(), numbers.len(), "{}", hotline.id);
        }
        let files = |number: &str| &plans.hotlines[0].greeting.by_agent[&AgentNo::from(number)].normal.files;
        assert_eq!(files("101"), &["greet/property/101.wav"]);
        assert_eq!(files("0")[2..], ["no.0.wav", "piece.receptionist.wav"]);
        assert_eq!(files("57")[2..], ["digit.5.wav", "digit.10.wav", "no.7.wav", "piece.receptionist.wav"]);
        assert_eq!(files("30")[2..], ["digit.3.wav", "no.10.wav", "piece.receptionist.wav"]);
        assert_eq!(
            files("211")[2..],
            ["digit.2.wav", "digit.1.yao.wav", "digit.1.yao.wav", "piece.receptionist_serves.wav"]
        );
    }

    /// The longest run of samples below -50 dBov that begins and ends in speech, in ms.
    fn longest_gap_ms(audio: &[i16]) -> usize {
        let loud: Vec<usize> =
            audio.iter().enumerate().filter(|(_, s)| s.unsigned_abs() > 104).map(|(i, _)| i).collect();
        loud.windows(2).map(|pair| (pair[1] - pair[0]) / 8).max().unwrap_or(0)
    }

    #[test]
    fn joints_have_at_most_60_ms_of_silence() {
        let numbers: Vec<String> = (21..=99).chain(111..=140).chain([2345, 67890]).map(|n| n.to_string()).collect();
        let mut worst = (0, String::new());
        for hotline in &with_agents(&numbers).hotlines {
            for (agent, greeting) in &hotline.greeting.by_agent {
                let gap = longest_gap_ms(&greeting.late.audio);
                worst = worst.max((gap, format!("{} {agent} {:?}", hotline.id, greeting.late.files)));
            }
        }
        eprintln!("{worst:?}");
        assert!(worst.0 <= 60, "{worst:?}");
    }

    #[test]
    fn a_directory_holds_hotlines_directly_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        assert!(Directory(at("none")).hotlines().unwrap_err()[0].to_string().contains("No such file"));
        let empty = Directory(directory.path().to_owned()).hotlines().unwrap_err();
        assert!(empty[0].to_string().contains("no dialplan (*.toml) in it"), "{empty:?}");
        std::fs::create_dir_all(at("holidays")).unwrap();
        for name in ["b.toml", "a.toml", ".a.toml", "README.md", "holidays/c.toml"] {
            std::fs::write(at(name), name).unwrap();
        }
        let names: Vec<String> =
            Directory(directory.path().to_owned()).hotlines().unwrap().into_iter().map(|f| f.name).collect();
        assert_eq!(names, ["a.toml", "b.toml"].map(|n| at(n).display().to_string()));
    }
}
