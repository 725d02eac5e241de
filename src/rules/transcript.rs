//! What a recogniser outside the process heard in a call: JSON lines, bounded and checked line by line.
//!
//! ```text
//! {"transcript": 1, "recogniser": "paraformer", "version": "2.0.4", "language": "zh-CN"}
//! {"channel": "agent", "from_ms": 4100, "to_ms": 6350, "text": "您好,请讲", "confidence_percent": 93}
//! ```
//!
//! Times are milliseconds since *connected*, as in the recording, whose left channel is the caller and whose right is the agent.

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::ids::Side;

/// Octets of a transcript: ten hours of talk without a pause.
pub const MOST_BYTES: usize = 768 * 1024;
/// Utterances of a transcript.
const MOST_UTTERANCES: usize = 20_000;
/// Characters of one utterance.
const MOST_CHARACTERS: usize = 2_000;
/// Characters of a name.
const MOST_NAME: usize = 64;
/// Faults that are told of one file.
const MOST_FAULTS: usize = 20;
/// No call is as long.
const DAY_MS: u64 = 86_400_000;
/// A recogniser's clock may run on behind the last word.
const OVERHANG_MS: u64 = 2_000;
/// The form that is read.
const FORM: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transcript {
    #[serde(flatten)]
    pub by: Recogniser,
    /// In the order of the file: utterance `i` stands in line `i + 2`.
    pub utterances: Vec<Utterance>,
}

/// Who says what was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recogniser {
    pub recogniser: String,
    pub version: String,
    pub language: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Utterance {
    pub channel: Side,
    /// Since *connected*.
    pub from_ms: u64,
    pub to_ms: u64,
    pub text: String,
    /// How sure the recogniser is; left out: it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence_percent: Option<u8>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Head {
    transcript: u32,
    recogniser: String,
    version: String,
    language: String,
}

impl Transcript {
    /// Reads a file; all its faults at once, but for the first [`MOST_FAULTS`] no more.
    pub fn read(file: &str, text: &str) -> Result<Transcript, Vec<Fault>> {
        let fault = |line: u32, what: String, hint: &str| Fault::new(file, line, what, hint);
        if text.len() > MOST_BYTES {
            return Err(vec![fault(1, format!("more than {MOST_BYTES} octets"), "a transcript is of one call")]);
        }
        let mut lines = (1..).zip(text.lines());
        let head = lines.next().map(|(line, text)| (line, serde_json::from_str::<Head>(text)));
        let by = match head {
            Some((line, Ok(head))) => head.checked().map_err(|(what, hint)| vec![fault(line, what, hint)])?,
            Some((line, Err(error))) => {
                let hint = r#"begin with {"transcript": 1, "recogniser": "…", "version": "…", "language": "…"}"#;
                return Err(vec![fault(line, format!("no head of a transcript: {error}"), hint)]);
            }
            None => return Err(vec![fault(1, "it is empty".to_owned(), "write a head and a line each utterance")]),
        };
        let (mut utterances, mut faults) = (Vec::new(), Vec::new());
        for (line, text) in lines {
            match serde_json::from_str::<Utterance>(text) {
                _ if faults.len() >= MOST_FAULTS => break,
                _ if utterances.len() >= MOST_UTTERANCES => {
                    faults.push(fault(line, format!("more than {MOST_UTTERANCES} utterances"), "join short ones"));
                    break;
                }
                Ok(utterance) => match utterance.wrong() {
                    Some((what, hint)) => faults.push(fault(line, what, hint)),
                    None => utterances.push(utterance),
                },
                Err(error) => {
                    let hint = "write channel (caller or agent), from_ms, to_ms, text; confidence_percent may follow";
                    faults.push(fault(line, format!("no utterance: {error}"), hint));
                }
            }
        }
        if faults.is_empty() { Ok(Transcript { by, utterances }) } else { Err(faults) }
    }

    /// The utterances that are said to end after the call did, with their lines.
    pub fn beyond(&self, file: &str, length_ms: u64) -> Vec<Fault> {
        let late = (2..).zip(&self.utterances).filter(|(_, said)| said.to_ms > length_ms + OVERHANG_MS);
        let fault = |(line, said): (u32, &Utterance)| {
            let what = format!("it ends at {} ms, the call at {length_ms} ms", said.to_ms);
            Fault::new(file, line, what, "times count from the beginning of the recording; is it of another call?")
        };
        late.take(MOST_FAULTS).map(fault).collect()
    }

    /// As it is read.
    pub fn write(&self) -> serde_json::Result<String> {
        let Recogniser { recogniser, version, language } = self.by.clone();
        let mut text = serde_json::to_string(&Head { transcript: FORM, recogniser, version, language })?;
        for utterance in &self.utterances {
            text.push('\n');
            text.push_str(&serde_json::to_string(utterance)?);
        }
        text.push('\n');
        Ok(text)
    }
}

type Wrong = (String, &'static str);

impl Head {
    fn checked(self) -> Result<Recogniser, Wrong> {
        if self.transcript != FORM {
            return Err((format!("transcript: form {} is not known", self.transcript), "write \"transcript\": 1"));
        }
        let Head { recogniser, version, language, .. } = self;
        for (key, value) in [("recogniser", &recogniser), ("version", &version), ("language", &language)] {
            if value.trim().is_empty() || value.chars().count() > MOST_NAME {
                let what = format!("{key}: {} characters, not 1 to {MOST_NAME}", value.chars().count());
                return Err((what, "say by what the words were recognised"));
            }
        }
        Ok(Recogniser { recogniser, version, language })
    }
}

impl Utterance {
    fn wrong(&self) -> Option<Wrong> {
        let characters = self.text.chars().count();
        if self.to_ms <= self.from_ms || self.to_ms > DAY_MS {
            let what = format!("from_ms {} and to_ms {} are no span of a call", self.from_ms, self.to_ms);
            return Some((what, "to_ms is greater than from_ms, and less than a day"));
        }
        if characters == 0 || characters > MOST_CHARACTERS {
            return Some((format!("text: {characters} characters, not 1 to {MOST_CHARACTERS}"), "leave silence out"));
        }
        let sure = self.confidence_percent?;
        (sure > 100).then(|| (format!("confidence_percent: {sure}"), "it goes from 0 to 100"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = r#"{"transcript": 1, "recogniser": "paraformer", "version": "2.0.4", "language": "zh-CN"}"#;

    fn faults(text: &str) -> Vec<String> {
        let faults = Transcript::read("call.jsonl", text).unwrap_err();
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn it_reads_what_it_writes() {
        let said = r#"{"channel":"agent","from_ms":4100,"to_ms":6350,"text":"您好,“请”讲","confidence_percent":93}"#;
        let heard = r#"{"channel":"caller","from_ms":7000,"to_ms":7001,"text":"喂"}"#;
        let read = Transcript::read("call.jsonl", &format!("{HEAD}\n{said}\n{heard}\n")).unwrap();
        assert_eq!((read.by.recogniser.as_str(), read.utterances.len()), ("paraformer", 2));
        assert_eq!(read.utterances[1].channel, Side::Caller);
        let written = read.write().unwrap();
        assert_eq!(Transcript::read("again", &written).unwrap(), read);
        assert!(written.contains(said) && written.contains(heard), "{written}");
    }

    #[test]
    fn each_fault_names_its_line_and_a_way_out() {
        for (text, line, what) in [
            ("", 1, "it is empty"),
            ("[]", 1, "no head"),
            (&HEAD.replace(": 1", ": 2")[..], 1, "form 2 is not known"),
            (&HEAD.replace("paraformer", " "), 1, "recogniser: 1 characters"),
            (&format!("{HEAD}\n\n"), 2, "no utterance"),
        ] {
            let told = faults(text);
            assert!(told.len() == 1 && told[0].starts_with(&format!("call.jsonl:{line}: ")), "{told:?}");
            assert!(told[0].contains(what), "{told:?}");
        }
        let lines = [
            r#"{"channel":"agent","from_ms":5,"to_ms":5,"text":"好"}"#,
            r#"{"channel":"nobody","from_ms":5,"to_ms":6,"text":"好"}"#,
            r#"{"channel":"agent","from_ms":-5,"to_ms":6,"text":"好"}"#,
            r#"{"channel":"agent","from_ms":5,"to_ms":6,"text":""}"#,
            r#"{"channel":"agent","from_ms":5,"to_ms":6,"text":"好","confidence_percent":101}"#,
            r#"{"channel":"agent","from_ms":5,"to_ms":6,"text":"好","word":1}"#,
            r#"{"channel":"agent","from_ms":5,"to_ms":6,"text":"好"}"#,
        ];
        let told = faults(&format!("{HEAD}\n{}", lines.join("\n")));
        let at: Vec<&str> = told.iter().map(|fault| fault.split(':').nth(1).unwrap()).collect();
        assert_eq!(at, ["2", "3", "4", "5", "6", "7"]);
    }

    #[test]
    fn it_is_bounded() {
        let line = r#"{"channel":"agent","from_ms":5,"to_ms":6,"text":"好"}"#;
        let many = format!("{HEAD}\n{}", format!("{line}\n").repeat(16_000));
        assert!(many.len() > MOST_BYTES);
        assert!(faults(&many)[0].contains("octets"));
        let long = line.replace('好', &"好".repeat(MOST_CHARACTERS + 1));
        assert!(faults(&format!("{HEAD}\n{long}"))[0].contains("2001 characters"));
        let wrong = format!("{HEAD}\n{}", "{}\n".repeat(100));
        assert_eq!(faults(&wrong).len(), MOST_FAULTS);
    }

    #[test]
    fn words_after_the_end_of_the_call_are_of_another_call() {
        let said = |to_ms: u64| format!(r#"{{"channel":"agent","from_ms":5,"to_ms":{to_ms},"text":"好"}}"#);
        let read = Transcript::read("call.jsonl", &format!("{HEAD}\n{}\n{}", said(12_000), said(12_001))).unwrap();
        let told = read.beyond("call.jsonl", 10_000);
        assert_eq!(told.len(), 1);
        assert!(told[0].to_string().starts_with("call.jsonl:3: "), "{}", told[0]);
    }
}
