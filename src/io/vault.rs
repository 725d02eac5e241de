//! Keys of sealed recordings: one for each call, wrapped by the master key, which lies outside the data directory.
//!
//! ```text
//! keys/YYYY/MM/DD/HH/<id>.key
//! offset 0   5 octets   "HLKY", version 1
//!        5   8 octets   of the SHA-256 of the master key
//!       13   12 octets  nonce, random
//!       25   48 octets  the call's key, by AES-256-GCM; the 8 octets and the call's id are authenticated with it
//! ```
//!
//! Without this file nobody hears the recording again, whatever copies of it there are: that is how it is erased.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Nonce};
use sha2::{Digest as _, Sha256};

use crate::ids::CallId;
use crate::media::record::path;
use crate::media::record::sealed::DataKey;

const MAGIC: &[u8; 5] = b"HLKY\x01";
const ID: usize = 8;
const NONCE: usize = 12;
const LENGTH: usize = MAGIC.len() + ID + NONCE + 48;

/// Wraps the keys of calls.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey([u8; 32]);

impl MasterKey {
    pub fn new(octets: [u8; 32]) -> MasterKey {
        MasterKey(octets)
    }

    fn id(&self) -> [u8; ID] {
        let mut id = [0; ID];
        id.copy_from_slice(&Sha256::digest(self.0)[..ID]);
        id
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&self.0.into())
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey")
    }
}

#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("it is sealed and its key is gone: nobody can read it any more")]
    Gone,
    #[error("it is sealed, and no key of recordings.key_file opens it")]
    Locked,
    #[error("its key file is damaged")]
    Damaged,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The keys of a data directory.
#[derive(Debug, Clone)]
pub struct Vault {
    data: PathBuf,
    /// The first one wraps; the others open what they have wrapped.
    masters: Arc<[MasterKey]>,
}

impl Vault {
    /// Without a master key nothing is sealed, and what is cannot be read.
    pub fn new(data: &Path, masters: &[MasterKey]) -> Vault {
        Vault { data: data.to_owned(), masters: masters.into() }
    }

    /// A key for the recording at `path` that begins; `None`: it is not to be sealed. The key's file is there when this returns.
    pub(super) fn fresh(&self, call: CallId, path: &Path) -> io::Result<Option<DataKey>> {
        let Some(master) = self.masters.first() else { return Ok(None) };
        let (key, nonce) = (random::<32>()?, random::<NONCE>()?);
        let mut out = MAGIC.to_vec();
        out.extend(master.id());
        out.extend(nonce);
        let mut wrapped = key.to_vec();
        let sealed = master.cipher().encrypt_in_place(&Nonce::from(nonce), &bound(master, call), &mut wrapped);
        sealed.map_err(io::Error::other)?;
        out.append(&mut wrapped);
        let file = self.file_of(path);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        // A recording that begins anew after a crash of its beginning has a new key.
        let new = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&file);
        new?.write_all(&out)?;
        Ok(Some(DataKey::new(key)))
    }

    /// The key of the recording at `path`.
    pub(super) fn key(&self, call: CallId, path: &Path) -> Result<DataKey, VaultError> {
        let found = fs::read(self.file_of(path)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => VaultError::Gone,
            _ => error.into(),
        })?;
        let rest = found.strip_prefix(MAGIC).filter(|_| found.len() == LENGTH).ok_or(VaultError::Damaged)?;
        let ((id, rest), mut octets) = (rest.split_at(ID), [0; 32]);
        let master = self.masters.iter().find(|master| master.id() == id).ok_or(VaultError::Locked)?;
        let (nonce, wrapped) = rest.split_at(NONCE);
        let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| VaultError::Damaged)?;
        let mut wrapped = wrapped.to_vec();
        let opened = master.cipher().decrypt_in_place(&Nonce::from(nonce), &bound(master, call), &mut wrapped);
        opened.map_err(|_| VaultError::Damaged)?;
        octets.copy_from_slice(&wrapped);
        Ok(DataKey::new(octets))
    }

    /// Nobody can read the recording at `path` from now on. One that was not sealed has no key.
    pub(super) fn forget(&self, path: &Path) -> io::Result<()> {
        let file = self.file_of(path);
        match OpenOptions::new().write(true).open(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            open => {
                let mut open = open?;
                open.write_all(&[0; LENGTH])?;
                open.sync_all()?;
            }
        }
        fs::remove_file(&file)?;
        file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }

    /// `path`: of the recording's first file, below the data directory.
    pub(super) fn file_of(&self, path: &Path) -> PathBuf {
        self.data.join(path::key(path.strip_prefix(&self.data).unwrap_or(path)))
    }
}

fn bound(master: &MasterKey, call: CallId) -> Vec<u8> {
    [&master.id()[..], call.0.as_bytes()].concat()
}

pub(super) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut octets = [0; N];
    getrandom::fill(&mut octets).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Wall;
    use crate::ids::Random;

    #[test]
    fn a_key_comes_back_only_by_its_master_for_its_call_and_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let call = |n| CallId::new(Wall::from_micros(1_795_303_044_123_456), &mut Random::from_number(n));
        let (old, new) = (MasterKey::new([1; 32]), MasterKey::new([2; 32]));
        let path = folder.path().join(path::recording(Wall::from_micros(1_795_303_044_123_456), call(1)));
        let first = Vault::new(folder.path(), std::slice::from_ref(&old));
        let key = first.fresh(call(1), &path).unwrap().unwrap();
        assert_eq!(first.key(call(1), &path).unwrap(), key);
        let rotated = Vault::new(folder.path(), &[new.clone(), old]);
        assert_eq!(rotated.key(call(1), &path).unwrap(), key);
        assert!(matches!(Vault::new(folder.path(), &[new]).key(call(1), &path), Err(VaultError::Locked)));
        assert!(matches!(first.key(call(2), &path), Err(VaultError::Damaged)), "a key of another call");
        let file = folder.path().join(format!("keys/2026/11/21/23/{}.key", call(1)));
        let whole = fs::read(&file).unwrap();
        assert!(!whole.windows(32).any(|octets| octets == key.octets()));
        for at in [0, 6, 20, 40, LENGTH - 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&file, damaged).unwrap();
            assert!(first.key(call(1), &path).is_err(), "{at}");
        }
        fs::write(&file, whole).unwrap();
        first.forget(&path).unwrap();
        assert!(matches!(first.key(call(1), &path), Err(VaultError::Gone)));
        first.forget(&path).unwrap();
        assert!(Vault::new(folder.path(), &[]).fresh(call(1), &path).unwrap().is_none());
    }
}
