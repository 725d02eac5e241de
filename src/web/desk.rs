//! What every page of the console stands on: the database, the switch, the clock, and the few things that are kept in memory.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use jiff::tz::TimeZone;
use tokio::sync::Semaphore;

use super::Readiness;
use super::api::Backend;
use super::live::Board;
use super::page::Refusal;
use crate::clock::{Now, Wall};
use crate::dialplan::plan::Plans;
use crate::ids::{AgentNo, CallId, Random};
use crate::io::playback::Recordings;
use crate::io::prompts::Prompts;
use crate::io::vault::Vault;
use crate::limits::{LINK, PASSWORDS_AT_ONCE, SAME_LISTEN, WATCHERS};
use crate::peer::lockout::{Deed, Lockout};
use crate::store::session::Secret;
use crate::store::{People, Reader, StoreError};

/// What the console sees of the program around it.
#[derive(Clone)]
pub struct Surroundings {
    pub now: Arc<dyn Fn() -> Now + Send + Sync>,
    pub readiness: Readiness,
    /// Trunks that are probed, and whether each answers.
    pub trunks: Arc<dyn Fn() -> Vec<(String, bool)> + Send + Sync>,
    /// Octets of the recordings' disk that are used, and all; the word of its level.
    pub disk: Arc<dyn Fn() -> Option<(u64, u64, &'static str)> + Send + Sync>,
}

/// How the console is opened.
#[derive(Debug, Clone)]
pub struct Settings {
    /// A proxy in front of us speaks TLS and says in X-Forwarded-For who asks.
    pub behind_tls: bool,
    /// What opens sealed recordings.
    pub vault: Vault,
    /// Agents hear the recordings of their own calls.
    pub agents_hear: bool,
    pub prompts: Prompts,
}

#[derive(Clone)]
pub struct Desk(Arc<Inner>);

struct Inner {
    directory: PathBuf,
    settings: Settings,
    surroundings: Surroundings,
    backend: Arc<dyn Backend>,
    people: Mutex<People>,
    plans: RwLock<Arc<Plans>>,
    random: Mutex<Random>,
    /// Addresses that guess passwords.
    lockout: Mutex<Lockout>,
    hashing: Semaphore,
    links: Mutex<BTreeMap<[u8; 32], Link>>,
    /// Who listened to what, and when it was noted.
    listens: Mutex<BTreeMap<(i64, CallId), Wall>>,
    pub(super) board: Board,
    watchers: Arc<Semaphore>,
}

/// What a one-time link opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opens {
    /// The form that makes the first admin.
    Setup,
    /// A session of this person, who has no password yet: for the demo.
    Login { name: String },
    /// A new password of this person. Whoever follows it is not logged in, the old password ends, and the person is shown who made
    /// it: so nobody acts in another's name unseen.
    Password { name: String, made_by: String },
}

#[derive(Debug, Clone)]
struct Link {
    opens: Opens,
    until: Wall,
}

/// Links that are remembered; the oldest make room.
const LINKS: usize = 64;

impl Desk {
    pub fn new(
        directory: &Path,
        settings: Settings,
        surroundings: Surroundings,
        backend: Arc<dyn Backend>,
        plans: Arc<Plans>,
        random: Random,
    ) -> Result<Desk, StoreError> {
        Ok(Desk(Arc::new(Inner {
            directory: directory.to_owned(),
            settings,
            surroundings,
            backend,
            people: Mutex::new(People::open(directory)?),
            plans: RwLock::new(plans),
            random: Mutex::new(random),
            lockout: Mutex::default(),
            hashing: Semaphore::new(PASSWORDS_AT_ONCE),
            links: Mutex::default(),
            listens: Mutex::default(),
            board: Board::default(),
            watchers: Arc::new(Semaphore::new(WATCHERS)),
        })))
    }

    pub fn directory(&self) -> &Path {
        &self.0.directory
    }

    pub fn recordings(&self) -> Recordings {
        Recordings::new(&self.0.directory, self.0.settings.vault.clone())
    }

    pub(super) fn prompts(&self) -> &Prompts {
        &self.0.settings.prompts
    }

    pub fn is_behind_tls(&self) -> bool {
        self.0.settings.behind_tls
    }

    pub(super) fn agents_hear(&self) -> bool {
        self.0.settings.agents_hear
    }

    pub fn now(&self) -> Now {
        (self.0.surroundings.now)()
    }

    pub fn surroundings(&self) -> &Surroundings {
        &self.0.surroundings
    }

    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.0.backend
    }

    pub(super) fn board(&self) -> &Board {
        &self.0.board
    }

    pub(super) fn watchers(&self) -> &Arc<Semaphore> {
        &self.0.watchers
    }

    pub fn plans(&self) -> Arc<Plans> {
        Arc::clone(&self.0.plans.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// After a reload.
    pub fn renew(&self, plans: Arc<Plans>) {
        *self.0.plans.write().unwrap_or_else(PoisonError::into_inner) = plans;
    }

    /// Where people read their clocks: the zone of the first hotline.
    pub fn zone(&self) -> TimeZone {
        let plans = self.plans();
        let zone = plans.hotlines.first().and_then(|hotline| TimeZone::get(&hotline.time_zone).ok());
        zone.unwrap_or(TimeZone::UTC)
    }

    /// Reads the database, on a thread that may wait.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let directory = self.0.directory.clone();
        blocking(move || read(&Reader::open(&directory)?)).await
    }

    /// Changes something about people, or notes a deed; the moment is given, so that row and audit row have the same.
    pub async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut People, Wall) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (desk, at) = (self.clone(), self.now().wall);
        blocking(move || change(&mut desk.people(), at)).await
    }

    fn people(&self) -> MutexGuard<'_, People> {
        // A panic elsewhere leaves the connection as it is: an open transaction was rolled back.
        self.0.people.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// 256 bits that nobody can guess.
    pub(super) fn secret(&self) -> Secret {
        Secret::new(self.0.random.lock().unwrap_or_else(PoisonError::into_inner).bytes())
    }

    /// Work with passwords: few at once, on threads that may wait.
    pub(super) async fn with_password<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let _turn = self.0.hashing.acquire().await.map_err(|_| Refusal::Busy)?;
        tokio::task::spawn_blocking(work).await.map_err(|_| Refusal::Busy)
    }

    pub(super) fn is_locked_out(&self, source: IpAddr) -> bool {
        let lockout = self.0.lockout.lock().unwrap_or_else(PoisonError::into_inner);
        lockout.is_locked(self.now().mono, source)
    }

    /// A wrong password or link came from there.
    pub(super) fn note_guess(&self, source: IpAddr) {
        let mut lockout = self.0.lockout.lock().unwrap_or_else(PoisonError::into_inner);
        if lockout.note(self.now().mono, source, Deed::Wrong) {
            tracing::warn!(%source, "no more passwords are taken from there for ten minutes");
        }
    }

    /// The path of a new one-time link.
    pub fn link(&self, opens: Opens) -> String {
        let secret = self.secret();
        let path = match opens {
            Opens::Setup => "/setup",
            Opens::Login { .. } | Opens::Password { .. } => "/link",
        };
        let now = self.now().wall;
        let mut links = self.0.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.retain(|_, link| link.until > now);
        while links.len() >= LINKS {
            let oldest = links.iter().min_by_key(|(_, link)| link.until).map(|(hash, _)| *hash);
            oldest.and_then(|hash| links.remove(&hash));
        }
        links.insert(secret.hash(), Link { opens, until: now + LINK });
        format!("{path}?key={}", secret.hex())
    }

    /// What the link opens; it stays good.
    pub(super) fn behind_link(&self, key: &str) -> Option<Opens> {
        let hash = Secret::parse(key)?.hash();
        let links = self.0.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.get(&hash).filter(|link| link.until > self.now().wall).map(|link| link.opens.clone())
    }

    /// True once for each link.
    pub(super) fn use_link(&self, key: &str) -> bool {
        let Some(secret) = Secret::parse(key) else { return false };
        let mut links = self.0.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.remove(&secret.hash()).is_some_and(|link| link.until > self.now().wall)
    }

    /// Whether this is a listen of its own and not the same one going on. Says yes once.
    pub(super) fn is_new_listen(&self, person: i64, call: CallId) -> bool {
        let now = self.now().wall;
        let is_fresh = |noted: Wall| now < noted + SAME_LISTEN;
        let mut listens = self.0.listens.lock().unwrap_or_else(PoisonError::into_inner);
        if listens.get(&(person, call)).is_some_and(|noted| is_fresh(*noted)) {
            return false;
        }
        listens.retain(|_, noted| is_fresh(*noted));
        listens.insert((person, call), now);
        true
    }

    /// The names that the configuration's hotlines have for people.
    pub fn hotlines(&self) -> Vec<(String, String)> {
        self.plans().hotlines.iter().map(|hotline| (hotline.id.to_string(), hotline.org.clone())).collect()
    }

    pub fn agents(&self) -> Vec<AgentNo> {
        let all: std::collections::BTreeSet<AgentNo> =
            self.plans().hotlines.iter().flat_map(|hotline| hotline.everybody()).collect();
        all.into_iter().collect()
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Refusal::Busy)?.map_err(Refusal::from)
}
