//! What one rule says of one call: the finding, why, whose doing, and by which facts.

use serde_json::{Map, Value, json};

use super::case::Mark;
use crate::cdr::words;
use crate::clock::Stamp;
use crate::ids::AgentNo;

words! {
    /// A verdict, in the record's own word.
    Finding {
        Pass "pass",
        Fail "fail",
        /// The rule asks nothing of this call, or it is excused.
        Na "na",
        /// The facts do not tell.
        Unknown "unknown",
    }
}

words! {
    /// Whose doing a failure is. Never the caller's: then the rule does not apply.
    On {
        /// The agents named in the evidence.
        Agent "agent",
        /// Those who staff and set up the hotline: no one agent could have kept the rule.
        Hotline "hotline",
        /// The gateway, its network or its phones.
        Gateway "gateway",
        /// Counted, but held against nobody.
        Nobody "nobody",
    }
}

macro_rules! whys {
    ($($variant:ident $word:literal $en:literal $zh:literal,)*) => {
        words! {
            /// Why a rule does not apply or cannot be decided.
            Why { $($variant $word,)* }
        }

        impl Why {
            pub fn en(self) -> &'static str {
                match self { $(Why::$variant => $en,)* }
            }

            pub fn zh(self) -> &'static str {
                match self { $(Why::$variant => $zh,)* }
            }
        }
    };
}

whys! {
    Interrupted "interrupted" "a crash of the gateway cut the call" "网关故障,通话记录中断",
    NotAnswered "not_answered" "no agent answered" "无接待员接听",
    NotConnected "not_connected" "the caller was never connected" "未接通",
    CallerLeft "caller_left" "the caller left first" "来电者先挂断",
    InTime "in_time" "the answer was not late" "接听未超时",
    TooShort "too_short" "the call was too short for it" "通话过短",
    CutShort "cut_short" "the call ended before it could be done" "未及完成通话已结束",
    NoHold "no_hold" "the agent did not hold the caller" "接待员未保持通话",
    NoTransfer "no_transfer" "nobody handed the caller on" "未转接",
    NoQueue "no_queue" "the caller did not wait in the queue long enough" "未排队或排队时间短",
    NoMenu "no_menu" "there was no menu in the call's way" "未经过语音菜单",
    NoTarget "no_target" "no number outside was called to its end" "未呼叫外部号码",
    NobodyRung "nobody_rung" "no phone rang long enough to tell" "无话机振铃或振铃过短",
    CallerNotHeard "caller_not_heard" "the caller could not be heard at the end" "结束时听不到来电者",
    AgentNotHeard "agent_not_heard" "the agent could not be heard at the end" "结束时听不到接待员",
    EndedOtherwise "ended_otherwise" "neither the caller nor the agent ended the call" "非双方挂断",
    TrunkAtFault "trunk_at_fault" "the trunk or its offer was at fault" "中继线路方面的原因",
    CallerChoseNothing "caller_chose_nothing" "the caller chose nothing" "来电者未选择",
    WordsNeeded "words_needed" "it depends on what was said" "需要识别通话内容",
    NotNeeded "not_needed" "nothing called for it, or the dialplan does not watch for it" "无此情形或方案未启用",
    BadlyHeard "badly_heard" "the caller could not be understood, and was told goodbye first" "来电者声音不清,已先行告别",
    NoTime "no_time" "the times are of different runs of the gateway" "时间不可比",
    Closed "closed" "it was an hour or a day off" "非服务时间",
    NotAsked "not_asked" "pack or dialplan ask nothing here" "参数或话务方案不作要求",
    NotHeard "not_heard" "nobody could listen to the whole recording" "录音未经机器监听或不完整",
    Unsure "unsure" "the recogniser was not sure of the words" "识别置信度不足",
    NoSpeech "no_speech" "there was too little speech to tell" "语音过少,无法判断",
    Noisy "noisy" "it was too noisy to tell" "噪声过大,无法判断",
    SeveralAgents "several_agents" "which of several agents it was is not told" "无法区分是哪位接待员",
    TooManyFacts "too_many_facts" "the call had more facts than are kept for the rules" "事实过多",
}

/// Built by a measure; `marks` are the facts it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    pub finding: Finding,
    pub why: Option<Why>,
    pub on: Option<On>,
    /// To whom a failure is booked, if [`On::Agent`].
    pub agents: Vec<AgentNo>,
    /// A person has to confirm the failure before it counts.
    pub confirm: bool,
    /// Of the pack: those that were missing, or said and forbidden.
    phrases: Vec<String>,
    marks: Vec<Mark>,
    numbers: Vec<(&'static str, u64)>,
}

impl Judged {
    fn new(finding: Finding) -> Judged {
        Judged {
            finding,
            why: None,
            on: None,
            agents: Vec::new(),
            confirm: false,
            phrases: Vec::new(),
            marks: Vec::new(),
            numbers: Vec::new(),
        }
    }

    pub(super) fn pass() -> Judged {
        Judged::new(Finding::Pass)
    }

    pub(super) fn na(why: Why) -> Judged {
        Judged { why: Some(why), ..Judged::new(Finding::Na) }
    }

    pub(super) fn unknown(why: Why) -> Judged {
        Judged { why: Some(why), ..Judged::new(Finding::Unknown) }
    }

    pub(super) fn fail(on: On) -> Judged {
        Judged { on: Some(on), ..Judged::new(Finding::Fail) }
    }

    /// Booked on these; on the hotline if there are none.
    pub(super) fn fail_of(agents: impl IntoIterator<Item = AgentNo>) -> Judged {
        let mut found: Vec<AgentNo> = agents.into_iter().collect();
        found.sort();
        found.dedup();
        let on = if found.is_empty() { On::Hotline } else { On::Agent };
        Judged { agents: found, ..Judged::fail(on) }
    }

    /// Not the facts tell it, but a recogniser, which may be wrong.
    #[must_use]
    pub(super) fn by_words(self) -> Judged {
        Judged { confirm: self.finding == Finding::Fail, ..self }
    }

    pub(super) fn if_kept(kept: bool, otherwise: Judged) -> Judged {
        if kept { Judged::pass() } else { otherwise }
    }

    pub(super) fn with(mut self, name: &'static str, number: u64) -> Judged {
        self.numbers.push((name, number));
        self
    }

    pub(super) fn with_some(self, name: &'static str, number: Option<u64>) -> Judged {
        match number {
            Some(number) => self.with(name, number),
            None => self,
        }
    }

    pub(super) fn phrases(mut self, names: impl IntoIterator<Item = String>) -> Judged {
        self.phrases.extend(names);
        self.phrases.sort();
        self.phrases.dedup();
        self
    }

    pub(super) fn seen(mut self, marks: impl IntoIterator<Item = Mark>) -> Judged {
        self.marks.extend(marks);
        self
    }

    /// As the record keeps it: `why`, `on`, `agents`, `confirm`, `phrases`, the numbers of the `facts`, their times `at_ms` since
    /// *offered* (null: another run of the gateway), and figures.
    pub(super) fn evidence(&self, offered: Stamp) -> Value {
        let mut found = Map::new();
        if let Some(why) = self.why {
            found.insert("why".to_owned(), json!(why));
        }
        if let Some(on) = self.on {
            found.insert("on".to_owned(), json!(on));
        }
        if !self.agents.is_empty() {
            found.insert("agents".to_owned(), json!(self.agents));
        }
        if self.confirm {
            found.insert("confirm".to_owned(), json!(true));
        }
        if !self.phrases.is_empty() {
            found.insert("phrases".to_owned(), json!(self.phrases));
        }
        if !self.marks.is_empty() {
            let mut marks = self.marks.clone();
            marks.sort_by_key(|mark| (mark.at.mono_ns, mark.n));
            marks.dedup();
            let at: Vec<Option<u64>> = marks.iter().map(|mark| mark.at.millis_since(offered)).collect();
            found.insert("facts".to_owned(), marks.iter().map(|mark| mark.n).collect());
            found.insert("at_ms".to_owned(), json!(at));
        }
        for (name, number) in &self.numbers {
            found.insert((*name).to_owned(), json!(number));
        }
        if found.is_empty() { Value::Null } else { Value::Object(found) }
    }
}
