//! The closed vocabulary of conditions. A rule names one of these; there is no other way to state a condition.

use std::fmt;

use super::case::Seen;
use super::judged::Judged;
use super::measures::{answer, ending, greeting, hold, hours, script, silence, sound, speech, transfer, way, words};
use super::pack::{Pack, Rule};
use super::words::Words;
use crate::cdr::Record;

/// One call, as one rule of one pack looks at it.
pub(super) struct About<'a> {
    pub(super) record: &'a Record,
    pub(super) seen: &'a Seen,
    /// What was said, if there is a transcript.
    pub(super) words: Option<&'a Words>,
    pub(super) pack: &'a Pack,
    pub(super) rule: &'a Rule,
}

impl About<'_> {
    /// A number that the built-in pack always sets.
    pub(super) fn number(&self, name: &'static str) -> u64 {
        u64::from(self.pack.parameter(self.rule, name).unwrap_or(0))
    }

    /// `max_rings` of the pack, else as the call was handled by.
    pub(super) fn max_rings(&self) -> u32 {
        self.pack.parameter(self.rule, "max_rings").unwrap_or(self.seen.answer.max_rings)
    }
}

/// A condition over the facts of a sealed call.
pub struct Measure {
    pub word: &'static str,
    /// The facts it reads.
    pub reads: &'static [&'static str],
    /// The parameters it uses.
    pub parameters: &'static [&'static str],
    pub en: &'static str,
    pub zh: &'static str,
    pub(super) judge: fn(&About<'_>) -> Judged,
}

impl fmt::Debug for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word)
    }
}

pub fn find(word: &str) -> Option<&'static Measure> {
    MEASURES.iter().find(|measure| measure.word == word)
}

macro_rules! measures {
    ($($word:ident $judge:path [$($read:literal),*] [$($parameter:literal),*] $en:literal $zh:literal;)*) => {
        pub const MEASURES: &[Measure] = &[$(Measure {
            word: stringify!($word),
            reads: &[$($read),*],
            parameters: &[$($parameter),*],
            en: $en,
            zh: $zh,
            judge: $judge,
        },)*];
    };
}

measures! {
    answered_within_rings answer::within_rings
        ["ring", "agent_invited", "agent_answered", "connected", "ended"] ["max_rings"]
        "An agent answers in ring max_rings or before."
        "接待员在第 max_rings 声铃内接听。";
    answered_after_rings answer::after_rings
        ["ring", "agent_answered"] ["min_rings"]
        "min_rings bursts have sounded before an agent answers."
        "接听前已响满 min_rings 声。";
    late_apology answer::late_apology
        ["ring", "agent_answered", "connected", "play_started", "cued", "transcript"]
        ["max_rings", "greeting_within_ms", "opening_ms", "least_confidence_percent"]
        "After a late answer the gateway's greeting is the one that apologises, or (with a transcript) the agent to whom the dialplan leaves it does."
        "接听超时后,首句为致歉问候语(由坐席致歉的,凭识别文本判断)。";
    got_through answer::got_through
        ["offered", "queued", "ended"] ["max_rings"]
        "The caller reaches somebody, or leaves before that could be expected."
        "来电能够接通。";
    agents_at_post answer::agents_at_post
        ["agent_invited", "agent_released", "agent_answered"] ["post_ms"]
        "No agent's phone rings for post_ms without an answer, and every phone can be reached."
        "座席话机响铃 post_ms 内有人应答,且话机可达。";
    target_reached answer::target_reached
        ["target_invited", "target_released", "target_answered"] []
        "A number outside that was called answers, or is at least reachable."
        "外部号码呼叫可达。";
    greeting_said greeting::said
        ["connected", "agent_answered", "play_started", "play_ended"] ["greeting_within_ms"]
        "The greeting begins within greeting_within_ms and is played to its end."
        "接通后 greeting_within_ms 内开始问候并完整播放。";
    greeting_names_agent greeting::names_agent
        ["connected", "agent_answered", "play_started", "play_ended"] ["greeting_within_ms"]
        "The same, and the greeting says the number of the agent who answered."
        "同上,且问候语报出接听人工号。";
    greeting_of_colleagues greeting::internal
        ["offered", "connected", "agent_answered", "play_started", "play_ended"] ["greeting_within_ms"]
        "A colleague who calls is greeted without the agent's number."
        "内部来电的问候语不报工号。";
    greeting_fits_hour greeting::fits_hour
        ["play_started"] ["utc_offset_min"]
        "A greeting that names the time of day names the right one."
        "问候语中的时段与当地时间相符。";
    caller_hung_up_first ending::caller_first
        ["agent_answered", "ended", "media_arrived", "media_lost", "one_way_audio", "scripted"] ["last_ms"]
        "Of the two the caller hangs up first, unless one could not be heard."
        "由来电者先挂机(听不到对方时除外)。";
    no_abrupt_hang_up ending::not_abrupt
        ["agent_answered", "ended", "play_ended", "hold_ended", "media_arrived", "scripted", "transcript"]
        ["abrupt_ms", "last_ms", "closing_ms", "least_confidence_percent"]
        "The agent does not hang up within abrupt_ms of taking the caller, of the greeting's end or of a hold's."
        "接听、问候语结束或恢复通话后 abrupt_ms 内接待员不挂机。";
    talk_at_most ending::talk_at_most
        ["agent_answered", "hold_started", "hold_ended", "ended"] ["talk_ms"]
        "The talk, holds excluded, lasts at most talk_ms."
        "通话时长(不含保持)不超过 talk_ms。";
    longest_hold_at_most hold::longest
        ["hold_started", "hold_ended", "ended"] ["hold_ms"]
        "No hold by the agent lasts longer than hold_ms."
        "单次保持不超过 hold_ms。";
    held_at_most hold::total
        ["hold_started", "hold_ended", "ended"] ["held_ms"]
        "All holds by the agent together last at most held_ms."
        "保持总时长不超过 held_ms。";
    time_to_ask_before_hold hold::time_to_ask
        ["agent_answered", "play_ended", "hold_started", "hold_ended", "transcript"]
        ["ask_ms", "before_ms", "resumed_ms", "least_confidence_percent"]
        "Before each hold the agent could be heard for at least ask_ms; with a transcript: the phrases before and after it."
        "每次保持前接待员至少有 ask_ms 可征询同意。";
    silent_script script::silent
        ["scripted", "play_ended", "ended"] ["last_ms"]
        "A caller of whom nothing is heard is asked and told goodbye, and the agent hangs up no sooner than last_ms after that."
        "无声来电:先询问、告别,告别 last_ms 后才挂机。";
    low_script script::low
        ["scripted", "play_ended", "ended"] ["last_ms"]
        "A caller who is hardly heard is asked and told goodbye, and the agent hangs up no sooner than last_ms after that."
        "音量过小的来电:先询问、告别,告别 last_ms 后才挂机。";
    noise_script script::noise
        ["scripted", "play_ended", "ended"] ["last_ms"]
        "A caller who is drowned in noise is told so, and the agent hangs up no sooner than last_ms after that."
        "杂音过大的来电:先告知,告别 last_ms 后才挂机。";
    nuisance_to_desk script::nuisance
        ["sent_to_desk", "step", "ended"] []
        "A caller whom the agent calls a nuisance goes to a desk that speaks, and is not cut off."
        "骚扰来电转自动台,不直接挂断。";
    emergency_taken script::emergency
        ["sent_to_desk", "agent_answered", "target_answered", "confirmed", "ended"] ["emergency_ms"]
        "Within emergency_ms of the agent's emergency key somebody takes the call (of a cascade: by a key)."
        "坐席按紧急键后 emergency_ms 内有人接管(级联呼叫以按键确认为准)。";
    wait_apology way::wait_apology
        ["queued", "play_started", "agent_answered", "ended"] ["wait_ms"]
        "A caller who waits in the queue longer than wait_ms hears an apology by then."
        "排队超过 wait_ms 的来电者在此之前听到致歉语。";
    menu_led_on way::menu_led_on
        ["step", "ended"] []
        "Whoever comes to a menu reaches somebody, a choice or none."
        "经语音菜单的来电均有去向。";
    transfers_at_most transfer::at_most
        ["transfer_started", "transfer_completed"] ["transfers"]
        "A caller is handed on at most so many times."
        "转接次数不超过 transfers。";
    transfer_kept transfer::kept
        ["transfer_started", "transfer_completed", "transfer_failed", "ended"] []
        "A caller who is handed on reaches somebody, or comes back to the agent."
        "转接后有人接听,或回到原接待员。";
    transfer_to_listed transfer::to_listed
        ["transfer_started", "transfer_refused"] []
        "Nobody hands a caller on to a number that is not on the list."
        "不转接至未登记的号码。";
    recorded sound::recorded
        ["connected", "recording_closed"] []
        "The whole call was recorded."
        "通话全程录音。";
    recording_hashed sound::hashed
        ["connected", "recording_closed"] []
        "The recording is closed with its SHA-256."
        "录音附校验值归档。";
    heard_both_ways sound::both_ways
        ["connected", "media_arrived", "media_lost", "media_resumed", "one_way_audio"] []
        "While an agent had the caller, packets came from both."
        "通话期间双方语音均送达。";
    voice_in_band speech::voice_in_band
        ["listened", "recording_closed"]
        ["voice_ms", "softest_minus_dbov", "loudest_minus_dbov", "least_syllables_per_min", "most_syllables_per_min"]
        "An agent who speaks for voice_ms does so in the band of level (P.56) and pace; below an SNR of 16 dB nobody tells."
        "接待员语音音量与语速在规定范围内(信噪比低于 16 dB 不判)。";
    voice_not_too_loud speech::voice_not_too_loud
        ["listened", "recording_closed"] ["voice_ms", "loudest_minus_dbov"]
        "An agent who speaks for voice_ms or more is not too loud."
        "接待员语音音量不过高。";
    voice_and_replies speech::voice_and_replies
        ["listened", "recording_closed"]
        ["voice_ms", "softest_minus_dbov", "loudest_minus_dbov", "least_syllables_per_min", "most_syllables_per_min",
         "reply_ms"]
        "The agent's voice is in the band, and the median of the answers comes within reply_ms."
        "接待员音量、语速适中,应答时间中位数不超过 reply_ms。";
    caller_not_left_unanswered speech::caller_not_left_unanswered
        ["listened", "recording_closed", "media_arrived", "media_lost"] ["unanswered_ms"]
        "The caller never speaks for longer than unanswered_ms without hearing a word of the agent."
        "来电者讲话时,接待员沉默不超过 unanswered_ms。";
    agent_listens speech::agent_listens
        ["listened", "recording_closed"] ["voice_ms", "talk_share_percent"]
        "Of all speech the agent's share is at most talk_share_percent, once the caller spoke for voice_ms."
        "接待员讲话占比不超过 talk_share_percent。";
    no_cut_in speech::no_cut_in
        ["listened", "recording_closed"] []
        "The agent never begins while the caller has spoken for a second and stops within another."
        "接待员不打断来电者讲话。";
    put_down_softly speech::put_down_softly
        ["listened", "recording_closed", "ended"] []
        "In the last half second before an agent hangs up nothing bangs (over -6 dB of full scale, crest over 20 dB)."
        "接待员挂机前半秒内无摔听筒声。";
    no_temper speech::no_temper
        ["listened", "recording_closed", "ended"] []
        "The same, and the agent does not hang up while the caller is speaking."
        "同上,且不在来电者讲话时挂机。";
    low_caller_asked speech::low_caller_asked
        ["listened", "recording_closed", "scripted", "transcript"] ["voice_ms", "low_caller_minus_dbov"]
        "A caller who speaks lower than low_caller_minus_dbov is asked to speak up, by the gateway or (with a transcript) the agent."
        "来电者音量过小时请其大声些。";
    dead_air_at_most silence::dead_air
        ["listened", "recording_closed"] ["dead_air_ms"]
        "Both are never silent for longer than dead_air_ms; holds, pauses of the recording and lost packets are no such silence."
        "双方同时沉默不超过 dead_air_ms(保持、暂停录音、丢包除外)。";
    served_when_closed hours::served_when_closed
        ["closed", "ended"] []
        "A call on a holiday that the hotline is closed on reaches somebody, or can leave a message."
        "节假日来电仍有人接听或可留言。";
    closed_told hours::closed_told
        ["closed", "play_started", "play_ended", "ended"] []
        "A caller in an hour or on a day off is told so."
        "非服务时间来电播放告知语。";
    outage_told hours::outage_told
        ["closed", "play_started", "play_ended", "ended"] []
        "While the hotline is out of order callers are told, and sorry is said."
        "设备故障时播放致歉告知语。";
    open_at hours::open_at
        ["offered", "closed"] ["open_from_min", "open_to_min", "utc_offset_min"]
        "From open_from_min to open_to_min (minutes of the day) the hotline is not closed for the hour's sake."
        "每日 open_from_min 至 open_to_min 分之间热线开放。";
    priority_served hours::priority_served
        ["queued", "placed", "ended"] ["priority_wait_ms"]
        "A caller who goes before others waits in the queue for priority_wait_ms at most."
        "优先客户排队不超过 priority_wait_ms。";
    no_quarrel speech::no_quarrel
        ["listened", "recording_closed"] ["overlap_percent"]
        "Not both cut in on each other while more than overlap_percent of their speech is said at once."
        "双方互相打断且重叠讲话不超过 overlap_percent。";
    voice_not_too_fast speech::voice_not_too_fast
        ["listened", "recording_closed"] ["voice_ms", "most_syllables_per_min"]
        "An agent who speaks for voice_ms or more is not too fast."
        "接待员语速不过快。";
    voice_loud_enough speech::voice_loud_enough
        ["listened", "recording_closed"] ["voice_ms", "softest_minus_dbov"]
        "An agent who speaks for voice_ms or more is not too low."
        "接待员语音音量不过低。";
    own_voice_kept speech::own_voice_kept
        ["listened", "recording_closed"] ["voice_ms", "low_caller_minus_dbov", "loudest_minus_dbov"]
        "To a caller who speaks too low the agent does not speak too loud."
        "来电者音量过小时,接待员自身音量不过高。";
    words_said words::said
        ["transcript", "play_started", "play_ended", "ended"]
        ["opening_ms", "closing_ms", "answer_ms", "least_confidence_percent"]
        "The rule's phrases are said at the opening, at the closing or at all, and those that are forbidden never."
        "规定用语在开头、结尾或通话中说出,忌语不出现。";
    words_replied words::replied
        ["transcript", "play_started", "play_ended", "ended"] ["answer_ms", "least_confidence_percent"]
        "What the caller says is answered by one of the rule's phrases within answer_ms."
        "来电者说出后 answer_ms 内以规定用语回应。";
    words_around_hold words::around_hold
        ["transcript", "play_started", "play_ended", "hold_started", "hold_ended", "ended"]
        ["before_ms", "resumed_ms", "least_confidence_percent"]
        "Before each hold, within before_ms, and after it, within resumed_ms, the rule's phrases are said."
        "保持前 before_ms 内、恢复后 resumed_ms 内说出规定用语。";
}
