//! Why a call ended: a closed list, printed by `hotline help reasons`.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    Caller,
    Agent,
    Gateway,
    Trunk,
}

impl EndedBy {
    pub const ALL: [EndedBy; 4] = [EndedBy::Caller, EndedBy::Agent, EndedBy::Gateway, EndedBy::Trunk];

    pub fn as_str(self) -> &'static str {
        match self {
            EndedBy::Caller => "caller",
            EndedBy::Agent => "agent",
            EndedBy::Gateway => "gateway",
            EndedBy::Trunk => "trunk",
        }
    }
}

macro_rules! reasons {
    ($($variant:ident $word:literal $class:ident $text:literal;)*) => {
        /// Why a call ended. [`Reason::class`] says what it makes of a call that nobody had answered.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Reason {
            $(#[doc = $text] #[serde(rename = $word)] $variant,)*
        }

        impl Reason {
            pub const ALL: &[Reason] = &[$(Reason::$variant),*];

            pub fn as_str(self) -> &'static str {
                match self { $(Reason::$variant => $word,)* }
            }

            /// One sentence for people.
            pub fn text(self) -> &'static str {
                match self { $(Reason::$variant => $text,)* }
            }

            pub fn class(self) -> Class {
                match self { $(Reason::$variant => Class::$class,)* }
            }
        }
    };
}

/// The outcome of a call that ended for this reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Happens only after an agent's answer was passed on.
    Answered,
    /// The caller left; short or not is decided by `wait_ms`.
    Abandoned,
    /// Final error by policy.
    Rejected,
    /// Next could take it, or a fault.
    Failed,
    /// Keeps the outcome the call had; failed if it was still ringing.
    AsItWas,
}

reasons! {
    CallerHungUp "caller_hung_up" Answered "The caller hung up (BYE).";
    AgentHungUp "agent_hung_up" Answered "The agent hung up first (BYE).";
    TargetHungUp "target_hung_up" Answered "The target that an overflow had called hung up first (BYE).";
    NoAck "no_ack" Answered "The caller's side never acknowledged our 200 within 32 s.";
    SessionLost "session_lost" Answered "A leg stopped answering within the call (408, 481 or nothing to a request of ours, or its session timer ran out).";
    MediaTimeout "media_timeout" Answered "No media came from a leg for 20 s; the gateway ended the call on both sides.";
    SilentCaller "silent_caller" Answered "Nothing was heard of the caller; the gateway asked, said farewell and ended the call.";
    NoMedia "no_media" Answered "No packet of sound came from the caller's side; the gateway said so and ended the call.";
    NoisyCaller "noisy_caller" Answered "The caller could not be understood for noise; the gateway said so and ended the call.";
    LowVolume "low_volume" Answered "The caller's voice stayed too low; the gateway said so and ended the call.";
    SentToDesk "sent_to_desk" Answered "The agent sent the caller to a desk of the dialplan, which had nothing more.";
    MovedOver "moved_over" Answered "Of a call that an agent made: whoever was called is in that agent's call with a caller from now on.";
    SurveyOver "survey_over" Answered "The agent had left the caller to the survey, which was over, or the caller hung up in it.";
    CallerCancelled "caller_cancelled" Abandoned "The caller gave up before an agent answered (CANCEL or BYE).";
    CrossedCancel "crossed_cancel" Abandoned "The caller gave up while the agent's answer was on its way (CANCEL instead of ACK).";
    Draining "draining" Rejected "The gateway is shutting down and takes no new calls (503).";
    Overloaded "overloaded" Rejected "A bound of the gateway was reached: calls, ports or facts not yet on disk (503).";
    TrunkLimit "trunk_limit" Rejected "The trunk brought more calls a second, or at once, than its limit allows (503).";
    NoCodec "no_codec" Rejected "The offer holds no codec that we carry (488).";
    Closed "closed" Rejected "The hotline was closed (hours, holiday or outage), and no step was left.";
    Announced "announced" Answered "An announcement was the last step of the call, and was played.";
    MessageLeft "message_left" Answered "The caller was asked to leave a message.";
    MenuUnanswered "menu_unanswered" Failed "The caller chose nothing from the menu, and no step was left.";
    AgentsBusy "agents_busy" Failed "Every agent was in a call or their phone was busy, and no step was left.";
    AgentsDeclined "agents_declined" Failed "Every agent who was rung declined, and no step was left.";
    NoAnswer "no_answer" Failed "No agent who was rung answered in time, and no step was left.";
    AgentsUnreachable "agents_unreachable" Failed "No agent's phone could be reached, and no step was left.";
    AgentsMixed "agents_mixed" Failed "Agents were busy, declined, silent or unreachable for different reasons, and no step was left.";
    TrunkFault "trunk_fault" Failed "The trunk broke the rules of the protocol, or its connection failed.";
    Fault "fault" Failed "A fault of the gateway.";
    TransferFailed "transfer_failed" Answered "The agent handed the caller on and left, and nobody took the caller.";
    CallerNotReached "caller_not_reached" Failed "A caller who was called back did not answer, was busy or could not be reached.";
    Shutdown "shutdown" AsItWas "The gateway was stopped with this call in progress.";
    Crash "crash" AsItWas "The gateway died with this call in progress; written by recovery at the next start.";
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
