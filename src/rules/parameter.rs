//! The numbers that conditions use, by name. A rule's own number comes before the pack's.

/// A parameter: its name, its unit and range, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    pub name: &'static str,
    pub least: u32,
    pub most: u32,
    pub text: &'static str,
}

const DAY_MS: u32 = 86_400_000;

const fn ms(name: &'static str, text: &'static str) -> Key {
    Key { name, least: 0, most: DAY_MS, text }
}

/// All that a pack may set. Names end in their unit; `_ms` goes to a day.
pub const KEYS: &[Key] = &[
    Key {
        name: "max_rings",
        least: 1,
        most: 100,
        text: "rings until which an answer is in time; unset: as pinned by the call",
    },
    Key { name: "min_rings", least: 0, most: 100, text: "rings that have sounded before an answer; 0: none" },
    ms("greeting_within_ms", "connected to the first sample of the greeting"),
    ms("talk_ms", "length of talk, holds excluded"),
    ms("hold_ms", "one hold by the agent"),
    ms("held_ms", "all holds by the agent together"),
    ms("ask_ms", "what asking for consent takes before a hold"),
    ms("wait_ms", "wait in the queue from which on an apology is due"),
    ms("post_ms", "ring of an agent's phone that an agent at the desk has heard"),
    ms("abrupt_ms", "time an agent gives the caller before hanging up"),
    ms("last_ms", "farewell to a caller who is not understood until the agent hangs up"),
    ms("emergency_ms", "the agent's emergency key until somebody has taken the call"),
    ms("voice_ms", "speech from which on a voice can be judged"),
    Key {
        name: "softest_minus_dbov",
        least: 0,
        most: 90,
        text: "dB below 0 dBov of the lowest active level of an agent's voice",
    },
    Key {
        name: "loudest_minus_dbov",
        least: 0,
        most: 90,
        text: "dB below 0 dBov of the highest active level of an agent's voice",
    },
    Key {
        name: "least_syllables_per_min",
        least: 0,
        most: 1_000,
        text: "an agent's pace, an estimate, pauses left out",
    },
    Key {
        name: "most_syllables_per_min",
        least: 0,
        most: 1_000,
        text: "an agent's pace, an estimate, pauses left out",
    },
    ms("reply_ms", "median of the agent's answers to the caller's last word"),
    ms("unanswered_ms", "the caller speaks without hearing a word"),
    Key { name: "talk_share_percent", least: 0, most: 100, text: "the agent's share of all speech" },
    Key {
        name: "low_caller_minus_dbov",
        least: 0,
        most: 90,
        text: "dB below 0 dBov of a caller's speech that is too low",
    },
    ms("dead_air_ms", "neither speaks, and nobody holds"),
    ms("opening_ms", "from the agent's first moment with the caller: words of the opening begin in it"),
    ms("closing_ms", "to the end of the call: words of the closing end in it"),
    ms("answer_ms", "the caller's words to the beginning of an answer; and what is one turn of a talk"),
    ms("before_ms", "words before a hold end in it"),
    ms("resumed_ms", "words after a hold begin in it"),
    Key { name: "least_confidence_percent", least: 0, most: 100, text: "a recogniser less sure has not told" },
    Key { name: "overlap_percent", least: 0, most: 100, text: "of the time of speech both speak at once" },
    ms("priority_wait_ms", "wait in the queue of a caller who goes before others"),
    Key { name: "open_from_min", least: 0, most: 1_440, text: "minutes of the day" },
    Key { name: "open_to_min", least: 0, most: 1_440, text: "minutes of the day; not after open_from_min: not asked" },
    Key { name: "transfers", least: 0, most: 100, text: "times that a caller is handed on" },
    Key { name: "utc_offset_min", least: 0, most: 840, text: "minutes that the hotline's clock is ahead of UTC" },
];
