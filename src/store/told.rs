//! Why somebody at the console is refused: in English for commands and the API, and by a word that pages say in their own language.

use crate::ids::AgentNo;
use crate::qa::review::Refusal;
use crate::report::Period;
use crate::report::callbacks::Refused;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Told {
    #[error("this call is not on the list of callbacks")]
    NotListed,
    #[error(transparent)]
    Callback(#[from] Refused),
    #[error("the note has {n} characters, and {most} are kept")]
    LongNote { n: usize, most: usize },
    #[error(transparent)]
    Review(#[from] Refusal),
    #[error("it is no draft of yours")]
    NoDraft,
    #[error("it has been scored already")]
    Scored,
    #[error("{who} has it already")]
    HasIt { who: String },
    #[error("{who} has the other hearing of this call")]
    HasTheOther { who: String },
    #[error("{period} has no pick {n} of agent {agent}")]
    NoPick { period: String, n: u32, agent: AgentNo },
    #[error("another person's consent is waited for")]
    ConsentIsWaitedFor,
    #[error("no other call could take its place")]
    NoOtherCall,
    #[error("no replacement waits for consent")]
    NothingWaits,
    #[error("{who} asked for it: another person must consent")]
    OwnConsent { who: String },
    #[error("{period} is not over")]
    NotOver { period: Period },
    #[error("{n} calls before the end of {period} are not sealed yet")]
    NotSealed { n: i64, period: Period },
    #[error("the report of {period} is closed already")]
    ReportClosed { period: Period },
    #[error("this call is noted already: {number}")]
    Noted { number: String },
    #[error("there is no such note")]
    NoNote,
    #[error("the caller asked to be forgotten: nothing is added to this note")]
    Forgotten,
    #[error("this note is settled already, or open already")]
    NoteSettled,
    #[error("no callback was promised, or it was made")]
    NoCallbackOwed,
    #[error("nobody else is an admin")]
    LastAdmin,
    #[error("there is somebody of the name {name} already")]
    NameTaken { name: String },
    #[error("`{name}` is no name to log in by: 1 to {most} letters, no blanks, no colon")]
    NoName { name: String, most: usize },
    #[error("somebody without a role could do nothing")]
    NoRole,
    #[error("there is nobody of that name")]
    Nobody,
    #[error("there are fifty views already")]
    NoMoreViews,
}

impl Told {
    /// By which the pages know it.
    pub fn word(&self) -> &'static str {
        match self {
            Told::NotListed => "told-not-listed",
            Told::Callback(Refused::Closed(_)) => "told-callback-closed",
            Told::Callback(Refused::TakenBy(_)) => "told-taken",
            Told::Callback(Refused::NoTime) => "told-no-time",
            Told::LongNote { .. } => "told-long-note",
            Told::Review(Refusal::NotNow { .. }) => "told-not-now",
            Told::Review(Refusal::NotTheScorer) => "told-not-the-scorer",
            Told::Review(Refusal::NotTheAgent) => "told-not-the-agent",
            Told::Review(Refusal::TooLate) => "told-too-late",
            Told::Review(Refusal::NotAnother) => "told-not-another",
            Told::Review(Refusal::TooEarly) => "told-too-early",
            Told::Review(Refusal::NoReason) => "told-no-reason",
            Told::NoDraft => "told-no-draft",
            Told::Scored => "told-scored",
            Told::HasIt { .. } => "told-has-it",
            Told::HasTheOther { .. } => "told-has-the-other",
            Told::NoPick { .. } => "told-no-pick",
            Told::ConsentIsWaitedFor => "told-consent-waits",
            Told::NoOtherCall => "told-no-other-call",
            Told::NothingWaits => "told-nothing-waits",
            Told::OwnConsent { .. } => "told-own-consent",
            Told::NotOver { .. } => "told-not-over",
            Told::NotSealed { .. } => "told-not-sealed",
            Told::ReportClosed { .. } => "told-report-closed",
            Told::Noted { .. } => "told-noted",
            Told::NoNote => "told-no-note",
            Told::Forgotten => "told-forgotten",
            Told::NoteSettled => "told-note-settled",
            Told::NoCallbackOwed => "told-no-callback-owed",
            Told::LastAdmin => "told-last-admin",
            Told::NameTaken { .. } => "told-name-taken",
            Told::NoName { .. } => "told-no-name",
            Told::NoRole => "told-no-role",
            Told::Nobody => "told-nobody",
            Told::NoMoreViews => "told-no-more-views",
        }
    }

    /// What is filled in.
    pub fn values(&self) -> Vec<(&'static str, String)> {
        match self {
            Told::Callback(Refused::TakenBy(who))
            | Told::HasIt { who }
            | Told::HasTheOther { who }
            | Told::OwnConsent { who } => vec![("who", who.clone())],
            Told::LongNote { n, most } => vec![("n", n.to_string()), ("most", most.to_string())],
            Told::NoPick { period, n, agent } => {
                vec![("period", period.clone()), ("n", n.to_string()), ("agent", agent.to_string())]
            }
            Told::NotOver { period } | Told::ReportClosed { period } => vec![("period", period.to_string())],
            Told::NotSealed { n, period } => vec![("n", n.to_string()), ("period", period.to_string())],
            Told::Noted { number } => vec![("number", number.clone())],
            Told::NameTaken { name } => vec![("name", name.clone())],
            Told::NoName { name, most } => vec![("name", name.clone()), ("most", most.to_string())],
            _ => Vec::new(),
        }
    }
}
