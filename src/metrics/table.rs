//! The table of metrics. Base units (seconds, bytes, ratios 0 to 1), counters end in `_total`, labels are closed
//! lists: no call id, phone number or address is ever a label.

use super::counters::{Direction, Method, Reload, SipRejection, has_response, response_codes};
use super::registry::LabelSets;
use crate::call::reason::EndedBy;
use crate::cdr::{CallbackEnd, Outcome, WhyOwed, Word, words};
use crate::qa::backlog::{Decision, Hearing, Waiting};
use crate::qa::summary::Pool;
use crate::rules::{Cue, Finding, Pack};

#[derive(Debug, Clone, Copy)]
pub struct Metric {
    pub id: Id,
    pub name: &'static str,
    pub kind: Kind,
    pub labels: &'static [Label],
    pub buckets: Buckets,
    pub help: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Label {
    pub name: &'static str,
    values: Values,
}

/// Where a label's values come from. Every combination exists from the start, at zero.
#[derive(Debug, Clone, Copy)]
enum Values {
    Hotlines,
    Trunks,
    ProbedTrunks,
    RegisteringTrunks,
    Agents,
    Words(fn() -> Vec<String>),
}

impl Label {
    /// Its values do not depend on the configuration.
    pub fn is_closed(&self) -> bool {
        matches!(self.values, Values::Words(_))
    }

    pub fn values(&self, sets: &LabelSets) -> Vec<String> {
        match self.values {
            Values::Hotlines => sets.hotlines.iter().map(ToString::to_string).collect(),
            Values::Trunks => sets.trunks.iter().map(ToString::to_string).collect(),
            Values::ProbedTrunks => sets.probed.iter().map(ToString::to_string).collect(),
            Values::RegisteringTrunks => sets.registering.iter().map(ToString::to_string).collect(),
            Values::Agents => sets.agent_labels(),
            Values::Words(words) => words(),
        }
    }
}

/// Times, in seconds, that service levels and rules are commonly stated by: bounds of every histogram of a person's time.
const STATED_MS: [u64; 9] = [5_000, 10_000, 15_000, 20_000, 30_000, 60_000, 120_000, 180_000, 300_000];

/// Upper bounds in the metric's unit; those of waiting also contain every threshold that a dialplan configures, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Buckets {
    None,
    Waiting,
    Greeting,
    Call,
    Hold,
    Commit,
    RoundTrip,
    Jitter,
    Loss,
    Mos,
    Score,
    Days,
}

impl Buckets {
    pub fn bounds(self, sets: &LabelSets) -> Vec<f64> {
        let fixed: &[u64] = match self {
            Buckets::None => &[],
            Buckets::Waiting => &[500, 1_000, 3_000],
            Buckets::Greeting => &[50, 100, 200, 500, 1_000, 2_000, 5_000],
            Buckets::Call => &[90_000, 150_000, 210_000, 600_000, 1_800_000],
            Buckets::Hold => &[45_000],
            Buckets::RoundTrip => &[5, 10, 20, 50, 100, 200, 500, 1_000, 2_000],
            Buckets::Jitter => &[1, 2, 5, 10, 20, 30, 50, 100, 200],
            Buckets::Loss => &[0, 1, 2, 5, 10, 20, 30, 50, 100, 200],
            Buckets::Mos => {
                &[1_000, 1_500, 2_000, 2_500, 3_000, 3_300, 3_600, 3_800, 4_000, 4_100, 4_200, 4_300, 4_400, 4_500]
            }
            Buckets::Score => &[600, 700, 800, 850, 900, 950, 1_000],
            // One day, three, a week, two, thirty days.
            Buckets::Days => &[86_400_000, 259_200_000, 604_800_000, 1_209_600_000, 2_592_000_000],
            Buckets::Commit => &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 5_000],
        };
        let stated: &[u64] = match self {
            Buckets::Waiting | Buckets::Call | Buckets::Hold => &STATED_MS,
            _ => &[],
        };
        let thresholds: &[u64] = if self == Buckets::Waiting { &sets.thresholds_ms } else { &[] };
        let all: std::collections::BTreeSet<u64> = fixed.iter().chain(stated).chain(thresholds).copied().collect();
        all.into_iter().map(|ms| ms as f64 / 1_000.0).collect()
    }
}

words! {
    /// What a live call is doing.
    CallState {
        Ringing "ringing",
        Greeting "greeting",
        Talking "talking",
        Hold "hold",
    }
}

words! {
    /// What an agent is doing. Whoever is rung or in a call counts as that, whatever was said before.
    AgentState {
        Available "available",
        Ringing "ringing",
        Busy "busy",
        /// After a call.
        WrapUp "wrapup",
        /// Paused, or not heard of since a pause was too long.
        Away "away",
        /// Not logged in.
        Offline "offline",
    }
}

words! {
    /// How one ring of one agent's phone went.
    AgentCall {
        Answered "answered",
        NoAnswer "no_answer",
        Busy "busy",
        Declined "declined",
        Unreachable "unreachable",
        LostRace "lost_race",
        CallerLeft "caller_left",
        Fault "fault",
    }
}

/// The one file system whose room is watched.
pub(super) const RECORDINGS: &str = "recordings";

const HOTLINE: Label = Label { name: "hotline", values: Values::Hotlines };
const TRUNK: Label = Label { name: "trunk", values: Values::Trunks };
const PROBED_TRUNK: Label = Label { name: "trunk", values: Values::ProbedTrunks };
const REGISTERING_TRUNK: Label = Label { name: "trunk", values: Values::RegisteringTrunks };
const AGENT: Label = Label { name: "agent", values: Values::Agents };
const OUTCOME: Label = closed("outcome", words_of::<Outcome>);
const BY: Label = closed("by", words_of::<EndedBy>);
const CALL_STATE: Label = closed("state", words_of::<CallState>);
const AGENT_STATE: Label = closed("state", words_of::<AgentState>);
const AGENT_CALL: Label = closed("outcome", words_of::<AgentCall>);
const TRANSFER: Label = closed("result", || owned(&["completed", "failed", "refused"]));
const RECORDING: Label = closed("status", || owned(&["ok", "partial", "none"]));
const UPLOAD: Label = closed("result", || owned(&["stored", "unreachable", "refused"]));
const METHOD: Label = closed("method", words_of::<Method>);
const ANSWERED_METHOD: Label = closed("method", || owned(Method::ANSWERED));
const CODE: Label = closed("code", response_codes);
const VOLUME: Label = closed("volume", || owned(&[RECORDINGS]));
const DIRECTION: Label = closed("direction", words_of::<Direction>);
const INWARD: Label = closed("direction", || owned(&[Direction::In.word()]));
const SIP_REJECTION: Label = closed("reason", words_of::<SipRejection>);
const RELOAD: Label = closed("result", words_of::<Reload>);
const LEG: Label = closed("leg", || owned(&["caller", "agent"]));
const MADE_UP: Label = closed("for", || owned(&["leg", "recording"]));
const UPSET: Label = closed("what", || owned(&["ssrc_change", "timestamp_jump", "clock_drift"]));
const RULE: Label = closed("rule", || Pack::built_in().distinct().map(|rule| rule.id.clone()).collect());
const CUE: Label = closed("cue", words_of::<Cue>);
const VERDICT: Label = closed("verdict", words_of::<Finding>);
const WAITING: Label = closed("state", words_of::<Waiting>);
const PROGRESS: Label = closed("state", || owned(&["drawn", "scored"]));
const POOL: Label = closed("pool", words_of::<Pool>);
const HEARING: Label = closed("kind", words_of::<Hearing>);
const DECISION: Label = closed("outcome", words_of::<Decision>);
const VERSION: Label = closed("version", || owned(&[env!("CARGO_PKG_VERSION")]));

const SURVEY_END: Label = closed("result", || owned(&["complete", "no_grade", "hung_up"]));
const GRADE: Label = closed("grade", || owned(&["1", "2", "3", "4"]));
const OWED: Label = closed("why", words_of::<WhyOwed>);
const CALLBACK_END: Label = closed("result", words_of::<CallbackEnd>);

const fn closed(name: &'static str, words: fn() -> Vec<String>) -> Label {
    Label { name, values: Values::Words(words) }
}

fn words_of<W: Word>() -> Vec<String> {
    W::ALL.iter().map(|word| word.word().to_owned()).collect()
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

impl Metric {
    /// A counter of time, which is no whole number.
    pub(super) fn counts_seconds(&self) -> bool {
        self.kind == Kind::Counter && self.name.ends_with("_seconds_total")
    }

    /// Every combination of its label values, in the order of `labels`.
    pub(super) fn rows(&self, sets: &LabelSets) -> Vec<Vec<String>> {
        let mut rows = vec![Vec::new()];
        for label in self.labels {
            let values = label.values(sets);
            let extended = |row: &Vec<String>| -> Vec<Vec<String>> {
                values.iter().map(|value| row.iter().cloned().chain([value.clone()]).collect()).collect()
            };
            rows = rows.iter().flat_map(extended).collect();
        }
        if self.id == Id::SipResponses {
            rows.retain(|row| has_response(&row[0], &row[1]));
        }
        rows
    }
}

macro_rules! metrics {
    ($($id:ident $name:literal $kind:ident [$($label:ident),*] $buckets:ident $help:literal;)*) => {
        /// A metric's place in [`METRICS`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Id { $($id,)* }

        /// Every metric of the program, but for `process_*`, which the crate brings.
        pub const METRICS: &[Metric] = &[$(Metric {
            id: Id::$id,
            name: $name,
            kind: Kind::$kind,
            labels: &[$($label),*],
            buckets: Buckets::$buckets,
            help: $help,
        },)*];
    };
}

metrics! {
    CallsOffered "hotline_calls_offered_total" Counter [HOTLINE, TRUNK] None
        "Calls offered: a complete INVITE from a known trunk for a number that a dialplan owns.";
    Calls "hotline_calls_total" Counter [HOTLINE, OUTCOME] None
        "Ended calls by outcome; offered = the sum of these + calls in progress.";
    AnsweredWithinTarget "hotline_calls_answered_within_target_total" Counter [HOTLINE] None
        "Calls answered within max_rings of their dialplan. Divided by the offered ones: the service level.";
    Interrupted "hotline_calls_interrupted_total" Counter [HOTLINE] None
        "Calls of an earlier run that a crash had cut, closed at start. They are in no other metric.";
    RingToAnswer "hotline_ring_to_answer_seconds" Histogram [HOTLINE] Waiting
        "Ring to an agent's answer. Exactly at a threshold is late for the counter but inside the bucket.";
    TimeToAbandon "hotline_time_to_abandon_seconds" Histogram [HOTLINE] Waiting
        "Offered to the caller's leaving, abandoned and short_abandoned calls.";
    GreetingDelay "hotline_greeting_delay_seconds" Histogram [HOTLINE] Greeting
        "Connected (or answered, if later) to the first sample of the greeting.";
    CallDuration "hotline_call_duration_seconds" Histogram [HOTLINE] Call
        "Offered to ended, answered calls.";
    HoldDuration "hotline_hold_duration_seconds" Histogram [HOTLINE] Hold
        "Length of each hold, by either person.";
    Hangups "hotline_call_hangups_total" Counter [HOTLINE, BY] None
        "Ended calls by who ended them.";
    CallsActive "hotline_calls_active" Gauge [HOTLINE, CALL_STATE] None
        "Calls in progress.";
    Agents "hotline_agents" Gauge [AGENT_STATE] None
        "Agents by what they are doing: rung or in a call, else what they said of themselves; away includes pauses.";
    AgentsUnreachable "hotline_agents_unreachable" Gauge [] None
        "Agents who are there for callers, but none of whose phones can be reached.";
    Open "hotline_open" Gauge [HOTLINE] None
        "1 while the hotline takes calls by its dialplan: hours, holidays, outage.";
    OnDuty "hotline_agents_on_duty" Gauge [HOTLINE] None
        "Agents of the hotline who are there for callers or in wrap-up, whether in a call or not, and whose phones can be reached as far as is known.";
    AgentCalls "hotline_agent_calls_total" Counter [AGENT, AGENT_CALL] None
        "Rings of an agent's phone by how they went; beyond 500 agents the rest is agent=\"other\".";
    AgentTalk "hotline_agent_talk_seconds_total" Counter [AGENT] None
        "Time in which the agent had a caller, holds excluded; counted when the call has ended.";
    AgentHold "hotline_agent_hold_seconds_total" Counter [AGENT] None
        "Time in which a caller of the agent was held; counted when the call has ended.";
    AgentRing "hotline_agent_ring_seconds_total" Counter [AGENT] None
        "Time in which the agent's phone rang, from the INVITE to the answer or the ring's end.";
    Transfers "hotline_transfers_total" Counter [HOTLINE, TRANSFER] None
        "Times that an agent handed a caller on, by result; refused: a REFER that nobody may make, or to somebody whom we do not call.";
    RuleChecks "hotline_rule_checks_total" Counter [RULE, VERDICT] None
        "Verdicts of sealed calls, of the rules that this pack decides, one for those that ask the same; a hint counts before it is confirmed.";
    RuleCues "hotline_rule_cues_total" Counter [CUE] None
        "Warnings that a rule was about to be broken in a live call, by what was about to happen.";
    TrunkUp "hotline_trunk_up" Gauge [PROBED_TRUNK] None
        "1 if a target of the trunk answers OPTIONS. Trunks that get none have no series.";
    TrunkOptionsRtt "hotline_trunk_options_rtt_seconds" Histogram [PROBED_TRUNK] RoundTrip
        "OPTIONS first sent to the answer of a trunk's target; a lost one that was repeated takes 0.5 s more.";
    TrunkRegistered "hotline_trunk_registered" Gauge [REGISTERING_TRUNK] None
        "1 while the trunk's registrar has confirmed our registration.";
    TrunkRegistrationExpires "hotline_trunk_registration_expires_timestamp_seconds" Gauge [REGISTERING_TRUNK] None
        "When the confirmed registration ends, in seconds since 1970; 0 if there is none.";
    Recordings "hotline_recordings_total" Counter [RECORDING] None
        "Recordings closed, by status.";
    RecordingBytes "hotline_recording_bytes_total" Counter [] None
        "Bytes of audio written to recordings.";
    RecordingDropped "hotline_recording_blocks_dropped_total" Counter [] None
        "Blocks of audio that the recorder's queue had no room for; their time is silence in the recording.";
    RecordingClipped "hotline_recording_clipped_samples_total" Counter [LEG] None
        "Samples in runs of three or more at the edge of G.711's range; the agent's channel has what was played to the caller too.";
    RecordingUploads "hotline_recording_uploads_total" Counter [UPLOAD] None
        "Tries to copy a recording to the object store: unreachable is tried again within five minutes, refused after an hour.";
    UploadsWaiting "hotline_recording_uploads_waiting" Gauge [] None
        "Recordings that are on this disk alone; 0 if there is no object store.";
    UploadsOldest "hotline_recording_uploads_oldest_timestamp_seconds" Gauge [] None
        "When the oldest call of them ended, in seconds since 1970; 0 if there is none.";
    DiskLevel "hotline_recordings_disk_level" Gauge [] None
        "The recordings' disk: 0 fine, 1 low (90 %), 2 tight (95 %), 3 full (98 % or not writable): new calls are not recorded.";
    StorageFree "hotline_storage_free_bytes" Gauge [VOLUME] None
        "Room that is left for the gateway on the file system of the recordings, looked at every second.";
    StorageSize "hotline_storage_size_bytes" Gauge [VOLUME] None
        "Size of that file system, as far as the gateway may fill it.";
    QaBacklog "hotline_qa_backlog_reviews" Gauge [WAITING] None
        "Calls that people are to hear and have not scored; the states add up. overdue: the due date is over, whoever has it.";
    QaDisputed "hotline_qa_disputed_reviews" Gauge [] None
        "Scores that an agent objects to, without a decision.";
    QaMonth "hotline_qa_month_reviews" Gauge [PROGRESS] None
        "Calls drawn by lot for the present month, and how many of them were scored; second hearings excluded.";
    QaQuotaAgents "hotline_qa_quota_agents" Gauge [] None
        "Agents of whom calls of the present month were due to be drawn.";
    QaQuotaMet "hotline_qa_quota_met_agents" Gauge [] None
        "Those of whom at least the month's minimum was scored.";
    QaReviews "hotline_qa_reviews_total" Counter [POOL, HEARING] None
        "Scores submitted, by why the call was heard and which hearing it was.";
    QaScore "hotline_qa_review_score_ratio" Histogram [] Score
        "Scores as submitted, 1 for all points: first hearings of calls drawn by lot. Scorecards come from hotline and its console, not from here.";
    QaFatal "hotline_qa_fatal_total" Counter [] None
        "Of those, scores with a fatal flag.";
    QaTurnaround "hotline_qa_call_to_score_seconds" Histogram [] Days
        "Call offered to its score submitted, first hearings of calls drawn by lot.";
    QaDisputes "hotline_qa_disputes_total" Counter [DECISION] None
        "Objections of agents that were decided.";
    SipRequests "hotline_sip_requests_total" Counter [METHOD, DIRECTION] None
        "SIP requests, retransmissions excluded.";
    SipResponses "hotline_sip_responses_total" Counter [ANSWERED_METHOD, CODE, DIRECTION] None
        "SIP responses by the method they answer; codes not on the method's list count as code=\"other\".";
    SipRetransmissions "hotline_sip_retransmissions_total" Counter [DIRECTION] None
        "SIP messages sent or received again.";
    SipParseErrors "hotline_sip_parse_errors_total" Counter [] None
        "Datagrams and frames that were no SIP message.";
    SipForeignContacts "hotline_sip_foreign_contacts_total" Counter [] None
        "Dialogs of phones whose Contact or Record-Route named another host; requests stayed with the configured one.";
    SipRejected "hotline_sip_rejected_total" Counter [SIP_REJECTION] None
        "Messages turned away before they became an offered call; a stranger's are not read.";
    SipTransactions "hotline_sip_transactions" Gauge [] None
        "SIP transactions alive, those that wait for repetitions included (32 s after the last message).";
    SipSessions "hotline_sip_sessions" Gauge [] None
        "SIP sessions alive: two for a call that is answered.";
    Registrations "hotline_registrations" Gauge [] None
        "Phones of agents that are registered; an agent may have several.";
    RtpPorts "hotline_rtp_ports_in_use" Gauge [] None
        "RTP port pairs taken by calls; those in quarantine are free.";
    RtpPackets "hotline_rtp_packets_total" Counter [LEG, INWARD] None
        "RTP packets received, by the person who sent them; counted when the call has ended.";
    RtpLost "hotline_rtp_lost_total" Counter [LEG, INWARD] None
        "RTP packets expected by sequence number and not received; counted when the call has ended.";
    RtpBytes "hotline_rtp_bytes_total" Counter [LEG, INWARD] None
        "Octets of payload in those packets; counted when the call has ended.";
    RtpReordered "hotline_rtp_reordered_total" Counter [LEG, INWARD] None
        "RTP packets that came after one with a higher number; counted when the call has ended.";
    RtpLate "hotline_rtp_late_total" Counter [LEG, INWARD] None
        "RTP packets too late for an adaptive jitter buffer of 500 ms; counted when the call has ended.";
    RtpJitter "hotline_rtp_jitter_seconds" Histogram [LEG] Jitter
        "Mean interarrival jitter (RFC 3550) of a call's stream.";
    RtpLossRatio "hotline_rtp_loss_ratio" Histogram [LEG] Loss
        "Share of a call's packets that the network lost.";
    Mos "hotline_call_mos" Histogram [LEG] Mos
        "MOS-LQ of a call's stream by the E-model, narrowband scale; only calls that can be rated.";
    OneWay "hotline_one_way_audio_calls_total" Counter [LEG] None
        "Calls in which this person was not heard, or hardly, while the other one was.";
    OneWayTimes "hotline_one_way_audio_total" Counter [LEG] None
        "Times that this person was not heard for four seconds while the other one was.";
    BufferLate "hotline_media_buffer_late_total" Counter [LEG] None
        "Packets too late for our jitter buffer, where legs differ; counted when the call has ended.";
    BufferDiscarded "hotline_media_buffer_discarded_total" Counter [LEG] None
        "Packets without room in it, and 10 ms left out to shorten its delay; counted when the call has ended.";
    BufferExpanded "hotline_media_buffer_expanded_total" Counter [LEG] None
        "Times that 10 ms were put in to lengthen its delay; counted when the call has ended.";
    Concealed "hotline_media_concealed_frames_total" Counter [LEG, MADE_UP] None
        "Frames of 10 ms that were lost and made up, for the other leg or for the recording; counted when the call has ended.";
    QualityReports "hotline_media_quality_reports_total" Counter [LEG] None
        "Voice quality reports (RFC 6035) of phones and trunks that were kept with a call.";
    MediaUpsets "hotline_media_upsets_total" Counter [LEG, UPSET] None
        "Times that a sender changed its SSRC, jumped in its time line or had a clock wrong by more than 200 ppm; at most 32 a leg and call.";
    EventQueue "hotline_event_queue_depth" Gauge [] None
        "Messages and events that wait for the switch.";
    LoopLag "hotline_event_loop_lag_seconds" Histogram [] Commit
        "How late the switch came to a timer that was due.";
    LedgerFacts "hotline_ledger_facts_total" Counter [] None
        "Facts committed.";
    LedgerBacklog "hotline_ledger_backlog_facts" Gauge [] None
        "Facts not yet on disk.";
    LedgerCommit "hotline_ledger_commit_seconds" Histogram [] Commit
        "Duration of a group commit.";
    LedgerFailures "hotline_ledger_commit_failures_total" Counter [] None
        "Group commits that failed and will be tried again.";
    LedgerRefused "hotline_ledger_facts_refused_total" Counter [] None
        "Facts that the ledger could not take: beyond the last bound, or not part of any call. Each is logged.";
    ConfigReloads "hotline_config_reloads_total" Counter [RELOAD] None
        "Reloads of configuration and dialplans; after a refused one the old configuration stays in force.";
    ConfigReloaded "hotline_config_last_reload_success_timestamp_seconds" Gauge [] None
        "When the configuration in force was read, since 1970.";
    BuildInfo "hotline_build_info" Gauge [VERSION] None
        "Always 1; the label says which program this is.";
    Surveys "hotline_surveys_total" Counter [SURVEY_END] None
        "Callers who were asked after their call, by how far that went; the report tells each hotline's.";
    SurveyGrades "hotline_survey_grades_total" Counter [GRADE] None
        "Grades that callers gave, of all questions, from 1 (very satisfied) to 4 (poor); the report tells each question's.";
    CallbacksOwed "hotline_callbacks_owed_total" Counter [OWED] None
        "Ended calls whose callers reached nobody and are to be called back.";
    ShiftsMissed "hotline_shifts_missed_total" Counter [] None
        "Shifts for which an agent had not logged in as early as the dialplan asks; agents' facts tell whose.";
    CallbacksMade "hotline_callbacks_made_total" Counter [CALLBACK_END] None
        "Calls to callers of the list of callbacks, which are no offered calls, by what came of them.";
    InternalCalls "hotline_internal_calls_total" Counter [OUTCOME] None
        "Calls of agents to colleagues and targets, which are no offered calls, by how they ended.";
    OutboundCalls "hotline_outbound_calls_total" Counter [CALLBACK_END] None
        "Calls of agents to numbers outside, which are no offered calls, by what came of them.";
    OutboundTalk "hotline_outbound_talk_seconds_total" Counter [] None
        "Talk in such calls.";
}
