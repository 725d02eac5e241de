//! An agent hands the caller on (RFC 5589): the caller hears soft notes until somebody has the call.
//!
//! ```text
//! Opening ─► Inviting ─► Ringing ─► completed
//!    └──────────┴───────────┴─────► failed: back to the agent who asked, or the end if that one has left
//! ```
//!
//! A person with whom the agent has talked already (attended) is not rung: `Inviting` is then the short while in which their
//! phone moves over. A consultation that still rings becomes a ring for the caller: `Ringing`, then `Inviting` in that sense.

use super::agent::Agents;
use super::fact::{RefusedTransfer, RingResult, What};
use super::leg::{Action, Callee, Consulted, Input, Parting, Sent};
use super::reason::{EndedBy, Reason};
use super::talking::{Stage as TalkingStage, Talking};
use super::{Call, State};
use crate::clock::{Instant, Now};
use crate::ids::Side;
use crate::limits;
use crate::media::Hears;

#[derive(Debug, Clone)]
pub(super) struct Transfer {
    attempt: u32,
    to: Callee,
    /// Not whether the agent has talked with them, but whether their phone has answered.
    consulted: Consulted,
    stage: Stage,
    pub(super) transferor: Transferor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Ports are being opened.
    Opening,
    Inviting {
        until: Instant,
    },
    Ringing {
        until: Instant,
    },
}

/// The agent who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transferor {
    /// Still there, and takes the caller back if nobody answers.
    Waits,
    Left,
}

/// What has been asked for in one call.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    granted: u32,
    refused: u32,
    /// Refusals without a fact of their own.
    pub(super) untold: u32,
}

impl Transfer {
    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        match self.stage {
            Stage::Opening => None,
            Stage::Inviting { until } | Stage::Ringing { until } => Some((until, "transfer is not answered")),
        }
    }
}

impl Call {
    /// The agent's phone asks for it (REFER).
    pub(super) fn begin_transfer(
        &mut self,
        mut talking: Box<Talking>,
        now: Instant,
        at: Now,
        (to, consulted): (Callee, Consulted),
        agents: &mut Agents,
    ) -> State {
        let (TalkingStage::Connected, Callee::Agent(by)) = (&talking.stage, &talking.callee) else {
            self.refuse_transfer(at, talking.attempt, (491, RefusedTransfer::NotNow), Side::Agent);
            return State::Talking(talking);
        };
        if super::adding::has_added(&talking) {
            self.refuse_transfer(at, talking.attempt, (491, RefusedTransfer::NotNow), Side::Agent);
            return State::Talking(talking);
        }
        if !self.may_be_handed_on() {
            self.refuse_transfer(at, talking.attempt, (403, RefusedTransfer::Policy), Side::Agent);
            return State::Talking(talking);
        }
        if self.transfers.granted >= limits::TRANSFERS {
            self.refuse_transfer(at, talking.attempt, (403, RefusedTransfer::TooMany), Side::Agent);
            return State::Talking(talking);
        }
        self.transfers.granted += 1;
        let by = by.clone();
        self.mute(&mut talking, at, false);
        self.stop_ringing_holder(&mut talking, at);
        talking.scripts.part(at.mono);
        let attempt = talking.next_attempt();
        let attended = consulted != Consulted::No;
        self.fact(at, What::TransferStarted { attempt, by, to: to.clone(), attended });
        self.actions.push_back(Action::AnswerRefer { attempt: talking.attempt, status: 202 });
        self.actions.push_back(Action::Notify { attempt: talking.attempt, status: 100 });
        self.actions.push_back(Action::Park { hears: Hears::Notes });
        talking.silent.remove(&Side::Agent);
        let free = match &to {
            Callee::Agent(agent) => attended || agents.take(agent, self.id),
            Callee::Target(_) => true,
        };
        if free && !attended {
            self.actions.push_back(match &to {
                Callee::Agent(agent) => Action::OpenAgent { attempt, agent: agent.clone() },
                Callee::Target(target) => Action::OpenTarget { attempt, target: target.clone() },
            });
        } else if free {
            if consulted == Consulted::Rings {
                // It is a ring for this caller from now on.
                self.fact(at, to.invited(attempt));
                self.fact(at, to.ringing(attempt));
                self.actions.push_back(Action::Notify { attempt: talking.attempt, status: 180 });
            }
            self.actions.push_back(Action::OpenMoved { attempt });
        }
        let transfer = Transfer { attempt, to, consulted, stage: Stage::Opening, transferor: Transferor::Waits };
        talking.stage = TalkingStage::Transferring(transfer.clone());
        if !free {
            return self.transfer_failed(talking, &transfer, now, at, (RingResult::Busy, None));
        }
        State::Talking(talking)
    }

    /// 4xx to the REFER, and why.
    pub(super) fn refuse_transfer(&mut self, at: Now, attempt: u32, how: (u16, RefusedTransfer), by: Side) {
        let (status, why) = how;
        if self.transfers.refused < limits::TRANSFERS {
            self.transfers.refused += 1;
            self.fact(at, What::TransferRefused { by, why });
        } else {
            self.transfers.untold += 1;
        }
        if by == Side::Agent {
            self.actions.push_back(Action::AnswerRefer { attempt, status });
        }
    }

    /// What concerns only the transfer; `Err`: it is for the call as a whole.
    pub(super) fn handle_transferring(
        &mut self,
        mut talking: Box<Talking>,
        now: Instant,
        at: Now,
        input: Input,
        agents: &mut Agents,
    ) -> Result<State, (Box<Talking>, Input)> {
        let TalkingStage::Transferring(transfer) = &mut talking.stage else { return Err((talking, input)) };
        let current = transfer.attempt;
        match input {
            Input::AgentReady { attempt } if attempt == current => {
                let until = now + self.hotline.agents.ring;
                match (transfer.consulted, &transfer.to) {
                    (Consulted::Talks, _) => self.order_move(transfer, now),
                    (Consulted::Rings, _) => transfer.stage = Stage::Ringing { until },
                    (Consulted::No, to) => {
                        self.actions.push_back(match to {
                            Callee::Agent(agent) => Action::InviteAgent { attempt, agent: agent.clone() },
                            Callee::Target(_) => Action::InviteTarget { attempt },
                        });
                        transfer.stage = Stage::Inviting { until };
                    }
                }
            }
            Input::Sent(Sent::Invite { attempt }) if attempt == current => {
                if !self.ledger.ringing.contains_key(&attempt) {
                    let what = transfer.to.invited(attempt);
                    self.fact(at, what);
                }
            }
            Input::AgentRinging { attempt } if attempt == current => {
                if let Stage::Inviting { until } = transfer.stage {
                    transfer.stage = Stage::Ringing { until };
                    let what = transfer.to.ringing(attempt);
                    self.fact(at, what);
                    self.actions.push_back(Action::Notify { attempt: talking.attempt, status: 180 });
                }
            }
            Input::AgentNotReady { attempt } if attempt == current => {
                let transfer = transfer.clone();
                return Ok(self.transfer_failed(talking, &transfer, now, at, (RingResult::Fault, None)));
            }
            Input::AgentFailed { attempt, result, status } if attempt == current => {
                let transfer = transfer.clone();
                return Ok(self.transfer_failed(talking, &transfer, now, at, (result, status)));
            }
            Input::AgentAnswered { attempt } if attempt == current && transfer.consulted == Consulted::Rings => {
                // The phone still sends to the port of the consultation.
                transfer.consulted = Consulted::Talks;
                if let Stage::Ringing { .. } = transfer.stage {
                    self.order_move(transfer, now);
                }
                let what = transfer.to.answered(attempt);
                self.fact(at, what);
            }
            Input::AgentAnswered { attempt } if attempt == current => {
                let transfer = transfer.clone();
                self.transfer_completed(&mut talking, transfer, at, agents);
            }
            Input::HungUp { side: Side::Agent } | Input::Lost { side: Side::Agent } => {
                // A second farewell of one who has left says nothing new.
                if std::mem::replace(&mut transfer.transferor, Transferor::Left) == Transferor::Waits {
                    self.transferor_leaves(&mut talking, at);
                }
            }
            // Nothing is to be heard from one who waits.
            Input::Media(super::leg::Media::Silent { side: Side::Agent }) => {}
            other => return Err((talking, other)),
        }
        Ok(State::Talking(talking))
    }

    fn order_move(&mut self, transfer: &mut Transfer, now: Instant) {
        transfer.stage = Stage::Inviting { until: now + limits::MOVE };
        self.actions.push_back(Action::MoveAgent { attempt: transfer.attempt });
    }

    pub(super) fn transfer_timed_out(&mut self, talking: Box<Talking>, transfer: &Transfer, now: Now) -> State {
        // A phone that never even rang was not reached.
        let result = match transfer.stage {
            Stage::Ringing { .. } => RingResult::NoAnswer,
            Stage::Opening | Stage::Inviting { .. } => RingResult::Unreachable,
        };
        self.transfer_failed(talking, transfer, now.mono, now, (result, None))
    }

    fn transferor_leaves(&mut self, talking: &mut Talking, at: Now) {
        self.end_agents_hold(talking, at);
        if let Callee::Agent(agent) = &talking.callee {
            self.fact(at, What::AgentLeft { attempt: talking.attempt, agent: agent.clone() });
        }
        self.actions.push_back(Action::ReleaseAgent { attempt: talking.attempt, parting: Parting::Silent });
    }

    /// Whoever held the caller is out of the call.
    fn end_agents_hold(&mut self, talking: &mut Talking, at: Now) {
        if talking.unhold(at) {
            self.fact(at, What::HoldEnded { by: Side::Agent });
        }
    }

    fn transfer_completed(&mut self, talking: &mut Talking, transfer: Transfer, at: Now, agents: &mut Agents) {
        let Transfer { attempt, to, consulted, transferor, .. } = transfer;
        if consulted == Consulted::No {
            self.fact(at, to.answered(attempt));
        }
        if let Callee::Agent(agent) = &to {
            agents.answered(agent, self.id, self.hotline.duty.wrap_up, at);
        }
        self.end_agents_hold(talking, at);
        self.dismiss_all(talking, at);
        self.fact(at, What::TransferCompleted { attempt, to: to.clone() });
        self.actions.push_back(Action::Bridge { attempt, connected: at });
        let before = std::mem::replace(&mut talking.attempt, attempt);
        if transferor == Transferor::Waits {
            self.actions.push_back(Action::Notify { attempt: before, status: 200 });
            self.actions.push_back(Action::ReleaseAgent { attempt: before, parting: Parting::HungUp });
        }
        talking.callee = to;
        talking.stage = TalkingStage::Connected;
        talking.scripts.take_over(at.mono, matches!(talking.callee, Callee::Agent(_)));
    }

    fn transfer_failed(
        &mut self,
        mut talking: Box<Talking>,
        transfer: &Transfer,
        now: Instant,
        at: Now,
        (result, status): (RingResult, Option<u16>),
    ) -> State {
        self.drop_transfer(transfer, at, (result, status));
        self.fact(at, What::TransferFailed { attempt: transfer.attempt, result, status });
        if transfer.transferor == Transferor::Left {
            return self.part(talking, now, at, Reason::TransferFailed, EndedBy::Gateway);
        }
        let attempt = talking.attempt;
        self.actions.push_back(Action::Notify { attempt, status: status.unwrap_or_else(|| report(result)) });
        self.actions.push_back(Action::Bridge { attempt, connected: at });
        talking.stage = TalkingStage::Connected;
        talking.scripts.take_over(at.mono, true);
        State::Talking(talking)
    }

    /// The call ends while somebody is called for it.
    pub(super) fn abandon_transfer(&mut self, talking: &Talking, transfer: &Transfer, at: Now) {
        self.drop_transfer(transfer, at, (RingResult::CallerLeft, None));
        self.actions.push_back(Action::Notify { attempt: talking.attempt, status: 487 });
    }

    /// The one who is called is called no more.
    fn drop_transfer(&mut self, transfer: &Transfer, at: Now, (result, status): (RingResult, Option<u16>)) {
        let attempt = transfer.attempt;
        if self.ledger.ringing.contains_key(&attempt) {
            self.fact(at, transfer.to.released(attempt, result, status));
        }
        self.actions.push_back(Action::ReleaseAgent { attempt, parting: Parting::Silent });
    }
}

/// What the agent's phone is told if no response says it.
fn report(result: RingResult) -> u16 {
    match result {
        RingResult::Busy => 486,
        RingResult::Declined => 603,
        RingResult::NoAnswer | RingResult::Unreachable | RingResult::Unconfirmed => 480,
        RingResult::LostRace | RingResult::CallerLeft => 487,
        RingResult::Fault => 500,
    }
}
