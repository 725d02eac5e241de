//! Score forms: `scorecards/*.toml` beside the dialplans, or those that are built in.

use std::path::Path;

use super::dialplans::BuiltIn;
use crate::fault::Fault;
use crate::qa::form::{Form, read};
use crate::rules::Pack;

/// A form and the text that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub form: Form,
    pub text: String,
}

/// The folder beside the dialplans.
const FOLDER: &str = "scorecards";

/// More files than anybody has forms.
const MOST: usize = 100;

/// Every form with its text, by file; and all faults. `directory`: of the dialplans; without it, or without forms in it, the
/// built-in ones.
pub fn forms(directory: Option<&Path>) -> (Vec<Written>, Vec<Fault>) {
    let own = directory.map(|directory| files(&directory.join(FOLDER))).unwrap_or_default();
    let found = if own.is_empty() { built_in() } else { own };
    let pack = Pack::built_in();
    let (mut forms, mut faults): (Vec<Written>, Vec<Fault>) = (Vec::new(), Vec::new());
    for (shown, bytes) in found {
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) => {
                faults.push(Fault::new(shown, 1, error.to_string(), "a form is a file that can be read"));
                continue;
            }
        };
        let (form, found) = read(&shown, &bytes, |rule| pack.rule(rule).is_some());
        faults.extend(found);
        let Some(form) = form else { continue };
        if forms.iter().any(|other| other.form.id == form.id) {
            faults.push(Fault::new(shown, 1, format!("two forms have the id \"{}\"", form.id), "give one another id"));
            continue;
        }
        forms.push(Written { form, text: String::from_utf8_lossy(&bytes).into_owned() });
    }
    (forms, faults)
}

type File = (String, std::io::Result<Vec<u8>>);

/// None if the folder is not there.
fn files(folder: &Path) -> Vec<File> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries.map(|entry| entry.path()).filter(|path| {
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        !hidden && path.extension().is_some_and(|e| e == "toml")
    });
    let mut paths: Vec<_> = named.take(MOST).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.display().to_string(), std::fs::read(&path))).collect()
}

fn built_in() -> Vec<File> {
    let is_form = |name: &str| name.strip_prefix(FOLDER).is_some_and(|rest| rest.ends_with(".toml"));
    let mut names: Vec<_> = BuiltIn::iter().filter(|name| is_form(name)).collect();
    names.sort();
    let file = |name: &str| Some((format!("<built-in>/{name}"), Ok(BuiltIn::get(name)?.data.into_owned())));
    names.iter().filter_map(|name| file(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_forms_instead_of_the_built_in_one_and_faults_with_their_line() {
        let (built_in, faults) = forms(None);
        assert_eq!((built_in.len(), built_in[0].form.id.as_str(), faults), (1, "appraisal", Vec::new()));
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(forms(Some(directory.path())).0, built_in);
        let folder = directory.path().join(FOLDER);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("own.toml"), built_in[0].text.replace("\"appraisal\"", "\"own\"")).unwrap();
        std::fs::write(folder.join("twin.toml"), built_in[0].text.replace("\"appraisal\"", "\"own\"")).unwrap();
        std::fs::write(folder.join("wrong.toml"), "[form]\nid = \"w\"\nzh = \"甲\"\nen = \"A\"\ncolour = 1\n").unwrap();
        let (own, faults) = forms(Some(directory.path()));
        assert_eq!(own.iter().map(|own| own.form.id.as_str()).collect::<Vec<_>>(), ["own"]);
        let told: Vec<String> = faults.iter().map(|fault| fault.to_string()).collect();
        let of = |name: &str| folder.join(name).display().to_string();
        assert_eq!(told[0], format!("{}:1: two forms have the id \"own\": give one another id", of("twin.toml")));
        assert!(told.iter().any(|told| told.starts_with(&format!("{}:5: unknown key \"colour\"", of("wrong.toml")))));
    }
}
