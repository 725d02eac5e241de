//! What the gateway says: each prompt heard, and replaced by another recording. Live calls go on with what they began with.

use axum::http::header;
use axum::response::IntoResponse as _;
use serde_json::json;

use crate::io::control::{self, Answer, Request};
use crate::io::prompts::{Clip, PromptError, Unfit};
use crate::store::audit::Deed;
use crate::web::page::{Asked, Page, Refusal, Reply};

/// Rows of a page.
const SHOWN: usize = 60;

#[derive(askama::Template)]
#[template(path = "prompts.html", config = "src/web/askama.toml")]
struct Shown {
    p: Page,
    rows: Vec<Clip>,
    count: usize,
    text: String,
    can_replace: bool,
}

/// Work on files, on a thread that may wait.
async fn with<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Refusal::Busy)
}

/// Those whose text or file holds `q`.
pub(in crate::web) async fn page(asked: Asked) -> Reply {
    let (prompts, text) = (asked.desk().prompts().clone(), asked.query().get("q").to_owned());
    let can_replace = prompts.can_replace();
    let mut rows = with(move || prompts.all()).await?;
    rows.retain(|clip| clip.text.contains(&text) || clip.file.contains(&text));
    let count = rows.len();
    rows.truncate(SHOWN);
    asked.show(&Shown { p: asked.page(), rows, count, text, can_replace })
}

fn named(asked: &Asked) -> (String, String) {
    (asked.query().get("language").to_owned(), asked.query().get("file").to_owned())
}

impl From<PromptError> for Refusal {
    fn from(error: PromptError) -> Refusal {
        match error {
            PromptError::Unknown => Refusal::NotFound,
            PromptError::BuiltIn => Refusal::Told("prompt-built-in"),
            PromptError::Unfit(unfit) => Refusal::Told(match unfit {
                Unfit::Format(_) => "prompt-format",
                Unfit::Rate(_) => "prompt-rate",
                Unfit::Length(_) => "prompt-length",
                Unfit::Level(_) => "prompt-level",
                Unfit::Clipped(_) => "prompt-clipped",
            }),
            PromptError::Io(error) => Refusal::Fault(error.to_string()),
        }
    }
}

pub(in crate::web) async fn sound(asked: Asked) -> Reply {
    let ((language, file), prompts) = (named(&asked), asked.desk().prompts().clone());
    let bytes = with(move || prompts.sound(&language, &file)).await??;
    Ok(([(header::CONTENT_TYPE, "audio/wav")], bytes).into_response())
}

/// The file that was sent takes the place of `language` and `file`, if the configuration with it is good.
pub(in crate::web) async fn replace(asked: Asked) -> Reply {
    let ((language, file), prompts) = (named(&asked), asked.desk().prompts().clone());
    let (bytes, at, data) = (asked.file().clone(), asked.desk().now().wall, asked.desk().directory().to_owned());
    let about = format!("{language}/{file}");
    let replaced = with(move || -> Result<_, Refusal> {
        let replaced = prompts.replace(&language, &file, &bytes, at)?;
        // Nobody answers where no gateway runs: then it holds from the next start.
        let answer = control::ask(&data, &Request::Reload).map_err(|error| Refusal::Fault(error.to_string()))?;
        if let Some(Answer::Failed(why)) = answer {
            prompts.undo(&replaced).map_err(|error| Refusal::Fault(error.to_string()))?;
            return Err(Refusal::Refused(why));
        }
        Ok(replaced)
    });
    let replaced = replaced.await??;
    let (who, kept) = (asked.person()?.name.clone(), replaced.kept.map(|path| path.display().to_string()));
    let details = json!({ "before": replaced.before, "after": replaced.after, "kept": kept });
    let note = asked.desk().change(move |people, at| {
        people.note(Deed { at, who: &who, what: "prompt.replaced", about: &about, details: &details })
    });
    note.await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], asked.page().say("prompt-replaced")).into_response())
}

impl Shown {
    fn path(&self, clip: &Clip) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("language", &clip.language).append_pair("file", &clip.file);
        format!("/admin/prompts/sound?{}", query.finish())
    }
}
