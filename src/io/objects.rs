//! An object store that speaks S3: where closed recordings are copied to, and read from by ranges. The only user of `object_store`.
//!
//! For threads that may block: a small runtime of its own does the work. Nothing is ever overwritten: an object is made only if there is
//! none of its name (`If-None-Match: *`, RFC 9110 section 13.1.2), and is asked for before, for stores that do not know that header.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as Key;
use object_store::{
    ClientOptions, GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, PutMode, PutMultipartOptions, PutOptions,
    PutPayload, RetryConfig, WriteMultipart,
};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Runtime;

use super::recording::hex;

/// A file up to this size goes in one request, from memory; a longer one in parts.
const WHOLE: u64 = 32 << 20;
const PART: usize = 8 << 20;
/// Parts on their way at once.
const PARTS: usize = 2;

const CONNECT: Duration = Duration::from_secs(5);
/// For a part on a slow line: 8 MiB at a quarter of a megabit a second.
const REQUEST: Duration = Duration::from_secs(300);
/// Somebody waits for the answer.
const ANSWER: Duration = Duration::from_secs(20);

/// Octets that are fetched at once by who reads on and on: 32 s of narrow band. Whoever has just come gets fewer, and the sooner:
/// each fetch that follows the one before is twice as long.
const FETCH: u64 = 1024 * 1024;
const FETCH_FIRST: u64 = 256 * 1024;

/// Where objects are, and who we are there.
#[derive(Clone, PartialEq, Eq)]
pub struct Store {
    /// `None`: Amazon's own, by the region.
    pub endpoint: Option<String>,
    pub bucket: String,
    pub region: String,
    /// Before each name, without a slash at its ends; may be empty.
    pub prefix: String,
    pub credentials: Credentials,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub id: String,
    pub secret: String,
    /// Of a session that somebody else opened.
    pub token: Option<String>,
}

/// Says where, and nothing of who.
impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store {} {}/{}", self.endpoint.as_deref().unwrap_or("aws"), self.bucket, self.prefix)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The store, or the way to it: worth trying again, and as true for every other object.
    #[error("the object store: {0}")]
    Store(String),
    #[error("the object store has no {0}")]
    Absent(String),
    #[error("the object store has another object named {0}")]
    Exists(String),
    /// Ours.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What the copying of recordings asks of a store; in tests a store that fails on order.
pub(super) trait Remote: Send {
    /// `None`: there is no such object.
    fn length(&self, key: &str) -> Result<Option<u64>, ObjectError>;
    /// Never overwrites: [`ObjectError::Exists`].
    fn create(&self, key: &str, file: &Path) -> Result<(), ObjectError>;
    /// SHA-256 of all of it, lower-case hex, as read back.
    fn sha256(&self, key: &str) -> Result<String, ObjectError>;
    /// What is not there is as good as deleted.
    fn delete(&self, key: &str) -> Result<(), ObjectError>;
}

/// The way to a store; connects when it is first asked.
#[derive(Clone)]
pub struct Objects {
    store: Arc<Store>,
    client: Arc<Mutex<Option<Arc<Client>>>>,
}

struct Client {
    s3: AmazonS3,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
}

impl Drop for Client {
    fn drop(&mut self) {
        // The last to have it may be a task, which must not wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

impl Objects {
    pub fn new(store: Store) -> Objects {
        Objects { store: Arc::new(store), client: Arc::default() }
    }

    fn client(&self) -> Result<Arc<Client>, ObjectError> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &*client {
            return Ok(Arc::clone(client));
        }
        let made = Arc::new(connect(&self.store)?);
        *client = Some(Arc::clone(&made));
        Ok(made)
    }

    fn key(&self, key: &str) -> Key {
        if self.store.prefix.is_empty() { Key::from(key) } else { Key::from(format!("{}/{key}", self.store.prefix)) }
    }

    /// Runs to its end on the store's runtime; blocks.
    fn ask<T, E: Into<ObjectError>>(
        &self,
        most: Duration,
        work: impl AsyncFnOnce(&AmazonS3) -> Result<T, E>,
    ) -> Result<T, ObjectError> {
        let client = self.client()?;
        let runtime = client.runtime.as_ref().ok_or_else(|| ObjectError::Store("closed".to_owned()))?;
        let timed = async { tokio::time::timeout(most, work(&client.s3)).await };
        let done = runtime.handle().block_on(timed);
        done.map_err(|_| ObjectError::Store(format!("no answer within {} s", most.as_secs())))?.map_err(Into::into)
    }

    fn range(&self, key: &str, range: Range<u64>) -> Result<Vec<u8>, ObjectError> {
        let at = self.key(key);
        let octets = self.ask(ANSWER, async |s3| s3.get_range(&at, range).await)?;
        Ok(octets.to_vec())
    }

    /// An object to read from as from a file; `None`: there is none. One request tells its length and its beginning.
    pub(super) fn open(&self, key: &str) -> Result<Option<ObjectFile>, ObjectError> {
        let at = self.key(key);
        let options = GetOptions { range: Some(GetRange::Bounded(0..FETCH_FIRST)), ..GetOptions::default() };
        let found = self.ask(ANSWER, async |s3| {
            let found = s3.get_opts(&at, options).await?;
            let length = found.meta.size;
            Ok::<_, object_store::Error>((length, found.bytes().await?.to_vec()))
        });
        match found {
            Ok((length, octets)) => {
                let (objects, key) = (self.clone(), key.to_owned());
                Ok(Some(ObjectFile { objects, key, length, at: 0, here: (0, octets), most: FETCH_FIRST }))
            }
            Err(ObjectError::Absent(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn put_whole(s3: &AmazonS3, at: &Key, mut file: File, bytes: u64) -> Result<(), ObjectError> {
        let mut octets = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
        file.read_to_end(&mut octets)?;
        let create = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        s3.put_opts(at, PutPayload::from(octets), create).await?;
        Ok(())
    }

    /// Whoever asked first that there is no such object is the only one who writes it: object_store has no condition for parts.
    async fn put_parts(s3: &AmazonS3, at: &Key, mut file: File) -> Result<(), ObjectError> {
        let upload = s3.put_multipart_opts(at, PutMultipartOptions::default()).await?;
        let mut parts = WriteMultipart::new_with_chunk_size(upload, PART);
        let mut octets = vec![0; PART];
        loop {
            let read = file.read(&mut octets);
            match read {
                Ok(0) => break,
                Ok(n) => parts.write(&octets[..n]),
                Err(error) => {
                    // What was sent so far would be kept, and paid for.
                    let _ = parts.abort().await;
                    return Err(error.into());
                }
            }
            parts.wait_for_capacity(PARTS).await?;
        }
        parts.finish().await?;
        Ok(())
    }
}

fn connect(store: &Store) -> Result<Client, ObjectError> {
    // The client takes the process' own; that of whoever was first is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Credentials { id, secret, token } = &store.credentials;
    let clear = store.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    let options = ClientOptions::new().with_connect_timeout(CONNECT).with_timeout(REQUEST).with_allow_http(clear);
    // Who copies has a patience of its own, and who listens has none.
    let retry = RetryConfig { max_retries: 1, retry_timeout: ANSWER, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::new()
        .with_client_options(options)
        .with_retry(retry)
        .with_bucket_name(&store.bucket)
        .with_region(&store.region)
        .with_access_key_id(id)
        .with_secret_access_key(secret);
    if let Some(token) = token {
        builder = builder.with_token(token);
    }
    if let Some(endpoint) = &store.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    let s3 = builder.build()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("objects").enable_all().build()?;
    Ok(Client { s3, runtime: Some(runtime) })
}

impl From<object_store::Error> for ObjectError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { path, .. } => ObjectError::Absent(path),
            object_store::Error::AlreadyExists { path, .. } => ObjectError::Exists(path),
            other => ObjectError::Store(other.to_string()),
        }
    }
}

impl Remote for Objects {
    fn length(&self, key: &str) -> Result<Option<u64>, ObjectError> {
        let at = self.key(key);
        match self.ask(ANSWER, async |s3| s3.head(&at).await) {
            Ok(meta) => Ok(Some(meta.size)),
            Err(ObjectError::Absent(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn create(&self, key: &str, file: &Path) -> Result<(), ObjectError> {
        let at = self.key(key);
        let file = File::open(file)?;
        let bytes = file.metadata()?.len();
        let parts = u32::try_from(bytes / WHOLE + 1).unwrap_or(u32::MAX);
        if self.length(key)?.is_some() {
            return Err(ObjectError::Exists(at.to_string()));
        }
        self.ask(REQUEST * parts, async |s3| match bytes {
            0..=WHOLE => Objects::put_whole(s3, &at, file, bytes).await,
            _ => Objects::put_parts(s3, &at, file).await,
        })
    }

    fn sha256(&self, key: &str) -> Result<String, ObjectError> {
        let at = self.key(key);
        // An hour: 1 GiB at two and a half megabits a second.
        self.ask(Duration::from_secs(3_600), async |s3| {
            let mut octets = s3.get_opts(&at, GetOptions::default()).await?.into_stream();
            let mut hasher = Sha256::new();
            while let Some(piece) = octets.next().await {
                hasher.update(&piece?);
            }
            Ok::<_, object_store::Error>(hex(hasher))
        })
    }

    fn delete(&self, key: &str) -> Result<(), ObjectError> {
        let at = self.key(key);
        match self.ask(ANSWER, async |s3| s3.delete(&at).await) {
            Err(ObjectError::Absent(_)) => Ok(()),
            done => done,
        }
    }
}

/// One object, read by ranges as somebody asks for them.
pub(super) struct ObjectFile {
    objects: Objects,
    key: String,
    length: u64,
    at: u64,
    /// What was fetched last, and where it begins.
    here: (u64, Vec<u8>),
    /// Octets of the next fetch.
    most: u64,
}

impl ObjectFile {
    pub(super) fn len(&self) -> u64 {
        self.length
    }
}

impl Read for ObjectFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.length || into.is_empty() {
            return Ok(0);
        }
        let (begins, octets) = &self.here;
        let ends = begins + octets.len() as u64;
        if self.at < *begins || self.at >= ends {
            self.most = if self.at == ends && ends > 0 { FETCH.min(self.most * 2) } else { FETCH_FIRST };
            let begins = self.at;
            let range = begins..(begins + self.most).min(self.length);
            let fetched = self.objects.range(&self.key, range.clone()).map_err(io::Error::other)?;
            if fetched.len() as u64 != range.end - range.start {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the object store gave less than it has"));
            }
            self.here = (begins, fetched);
        }
        let (begins, octets) = &self.here;
        let from = usize::try_from(self.at - begins).map_err(io::Error::other)?;
        let n = into.len().min(octets.len() - from);
        into[..n].copy_from_slice(&octets[from..from + n]);
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for ObjectFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "before the beginning"))?;
        Ok(self.at)
    }
}
