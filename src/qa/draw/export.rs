//! A draw as files that anybody can check without this program: `docs/verify_draw.py` does.

use std::fmt::Write as _;

use super::lot::{Drawn, Pick};
use super::policy::{self, Policy};
use super::seed::{Seed, hex};

/// The first line of `frame.csv`.
pub const FRAME_HEADER: &str = "period,target,second_one_in,agent,n,call,stratum,weight";

/// The first line of `draw.csv`.
pub const DRAW_HEADER: &str = "agent,n,call,stratum,weight,of,second";

/// Every call that had a chance, in the part that it had it in.
pub fn frame(period: &str, policy: &Policy, drawn: &[Drawn]) -> String {
    let mut out = format!("{FRAME_HEADER}\r\n");
    for part in drawn.iter().flat_map(|drawn| &drawn.parts) {
        for found in &part.calls {
            // Agents' numbers are digits, and a stratum's name has no comma: nothing here needs quotes.
            let _ = write!(
                out,
                "{period},{},{},{},{},{},{},{}\r\n",
                policy.target_of(&part.agent),
                policy.second_one_in,
                part.agent,
                part.n,
                found.call,
                found.stratum,
                found.weight
            );
        }
    }
    out
}

/// What was taken. Which calls are heard twice stays out of it until the seed is `revealed`, which tells it anyway.
pub fn draw<'p>(picks: impl IntoIterator<Item = &'p Pick>, revealed: bool) -> String {
    let mut out = format!("{DRAW_HEADER}\r\n");
    for pick in picks {
        let Pick { agent, n, call, stratum, weight, of, second, .. } = pick;
        let second = if revealed { u8::from(*second).to_string() } else { String::new() };
        let _ = write!(out, "{agent},{n},{call},{stratum},{weight},{of},{second}\r\n");
    }
    out
}

/// The commitment, the hash of the policy if that was committed to (its text is `policy.json`), and, of a closed period, the seed.
pub fn seed(policy: &Policy, text: &str, seed: &Seed, revealed: bool) -> String {
    let mut out = format!("commitment {}\n", policy.commitment(text, seed));
    if policy.is_committed_to() {
        let _ = writeln!(out, "policy {}", hex(&policy::digest(text)));
    }
    if revealed {
        let _ = writeln!(out, "seed {}", seed.reveal());
    }
    out
}
