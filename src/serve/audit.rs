//! The audit log: who asked for what, and what came of it; never what was said, and no key.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// A file begins anew when it is larger; the one before is kept beside it.
const LARGEST: u64 = 64 << 20;

/// A file of lines of JSON.
#[derive(Debug)]
pub(super) struct Audit {
    path: PathBuf,
    file: Mutex<(File, u64)>,
}

/// An access.
#[derive(Debug, Serialize)]
pub(super) struct Entry<'a> {
    /// UTC
    pub at: String,
    /// The token's name
    pub principal: &'a str,
    pub role: &'a str,
    pub protocol: &'a str,
    /// The request's route, or the kind of the statement: no texts
    pub action: &'a str,
    /// `ok`, `cancelled`, or the kind of the error
    pub outcome: &'a str,
    pub rows: u64,
    pub seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

impl Audit {
    /// # Errors
    /// If the file cannot be written.
    pub fn open(path: &Path) -> io::Result<Audit> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = append(path)?;
        let size = file.metadata()?.len();
        Ok(Audit { path: path.into(), file: Mutex::new((file, size)) })
    }

    pub fn note(&self, entry: &Entry) {
        let Ok(mut line) = serde_json::to_vec(entry) else { return };
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let written = (|| {
            if file.1 > LARGEST {
                let before = self.path.with_extension("before.jsonl");
                std::fs::rename(&self.path, before)?;
                *file = (append(&self.path)?, 0);
            }
            file.1 += line.len() as u64;
            file.0.write_all(&line)
        })();
        if let Err(error) = written {
            tracing::error!(%error, "an access could not be noted");
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// This moment in UTC.
pub(super) fn now() -> String {
    chrono::Utc::now().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
