//! The layout of a database directory: what makes a folder one, and how one of an older layout is brought to the newest.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use datafusion::common::{Result, exec_datafusion_err, exec_err};

use super::durable::write_whole;
use super::{Database, LAYOUT, in_catalog};
use crate::catalog::{TableEntry, TableState};

/// What a database directory may have in it before it says which layout it is of.
const BEFORE: [&str; 3] = ["tables", "locks", "VERSION"];

/// The layout of a directory; nothing where it is none yet.
///
/// # Errors
/// If it is no database directory, or one of a newer layout.
pub(super) fn of(root: &Path) -> Result<Option<u32>> {
    let version = root.join("VERSION");
    match fs::read_to_string(&version) {
        // A full disk leaves an empty file; what is beside it tells.
        Ok(text) if text.trim().is_empty() => begun(root),
        Ok(text) => match text.trim().parse::<u32>() {
            Ok(found) if found <= LAYOUT => Ok(Some(found)),
            Ok(found) => exec_err!(
                "{} was made by a newer version of populace (layout {found}, this one knows {LAYOUT}): update populace",
                root.display()
            ),
            Err(_) => exec_err!("{} does not hold a version; is this a database?", version.display()),
        },
        Err(e) if e.kind() == io::ErrorKind::NotFound => begun(root),
        Err(e) if e.kind() == io::ErrorKind::NotADirectory => {
            exec_err!("{} is not a directory: name a database directory with --db", root.display())
        }
        Err(e) => exec_err!("{}: {e}", version.display()),
    }
}

/// A directory that does not exist yet, is empty, or has nothing but the folders that are made first becomes a database
/// when first written. Tables without a version are of the first layout.
fn begun(root: &Path) -> Result<Option<u32>> {
    let Ok(entries) = fs::read_dir(root) else { return Ok(None) };
    let names: Vec<String> = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    let ours = |name: &String| BEFORE.contains(&name.as_str()) || name.starts_with("VERSION.");
    if !names.iter().all(ours) {
        return exec_err!(
            "{} is no populace database (it has files, but no VERSION): name another directory with --db",
            root.display()
        );
    }
    let tables = fs::read_dir(root.join("tables")).is_ok_and(|mut tables| tables.next().is_some());
    Ok(tables.then_some(1))
}

/// Makes a directory a database of this layout where it is none.
///
/// # Errors
/// If it cannot be written.
pub(super) fn create(root: &Path) -> io::Result<()> {
    let version = root.join("VERSION");
    if fs::metadata(&version).is_ok_and(|about| about.len() > 0) && root.join("tables").is_dir() {
        return Ok(());
    }
    create_private(root)?;
    if !fs::metadata(&version).is_ok_and(|about| about.len() > 0) {
        write_whole(&version, &format!("{LAYOUT}\n"))?;
    }
    fs::create_dir_all(root.join("tables"))
}

/// Makes the directory for its owner alone: it has every prompt and answer. One that is there keeps its modes.
fn create_private(root: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(root)
}

/// Whether nothing can be written into a directory, by anybody who runs this program.
pub(super) fn is_read_only(root: &Path) -> bool {
    let probe = root.join(format!("VERSION.{}.new", uuid::Uuid::new_v4().simple()));
    match File::options().create_new(true).write(true).open(&probe) {
        Ok(_) => fs::remove_file(probe).is_err(),
        Err(e) => matches!(e.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem),
    }
}

impl Database {
    /// Brings a database of the first layout, where a table's folder has its name, to this one: the folders stay where
    /// they are and get their names in the catalogue. Killed at any moment, it is done again.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub(super) fn migrate(&self) -> Result<()> {
        let failed = |e: io::Error| {
            exec_datafusion_err!(
                "{} is of an older layout and cannot be brought to the newest: {e}; it is as it was",
                self.root().display()
            )
        };
        let tables = self.folder();
        fs::create_dir_all(&tables).map_err(failed)?;
        let mut entries = vec![];
        let mut names: Vec<String> =
            fs::read_dir(&tables).map_err(failed)?.filter_map(|e| e.ok()?.file_name().into_string().ok()).collect();
        // The newest of those that were set aside comes first.
        names.sort_by(|a, b| b.cmp(a));
        let mut there: Vec<String> = names.iter().filter_map(|n| whole(n)).map(String::from).collect();
        for folder in &names {
            let (name, state) = match (whole(folder), folder.strip_suffix(".dropped").and_then(set_aside)) {
                (Some(name), _) => (name, TableState::There),
                // Killed between the two steps of replacing a table: what was set aside is the table.
                (None, Some(name)) if !there.iter().any(|t| t == name) => {
                    there.push(name.to_string());
                    (name, TableState::There)
                }
                (None, Some(name)) => (name, TableState::Dropped),
                (None, None) => continue,
            };
            if !tables.join(folder).is_dir() {
                continue;
            }
            entries.push(TableEntry {
                id: uuid::Uuid::now_v7().simple().to_string(),
                name: name.into(),
                folder: folder.clone(),
                state,
                created: String::new(),
                dropped: None,
            });
        }
        let catalog = crate::catalog::Catalog::open(self.root()).map_err(in_catalog)?;
        catalog.adopt_tables(&entries).map_err(in_catalog)?;
        drop(catalog);
        // What was never whole, and locks that nobody has: before the version, after which nobody looks for them. Another
        // process may be at it too.
        let removed = |done: io::Result<()>| match done {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed(e)),
            _ => Ok(()),
        };
        for folder in &names {
            let path = tables.join(folder);
            if folder.strip_suffix(".new").and_then(set_aside).is_some() {
                removed(fs::remove_dir_all(path))?;
            } else if folder.starts_with('.')
                && folder.ends_with(".lock")
                && File::open(&path).is_ok_and(|lock| lock.try_lock().is_ok())
            {
                removed(fs::remove_file(path))?;
            }
        }
        write_whole(&self.root().join("VERSION"), &format!("{LAYOUT}\n")).map_err(failed)?;
        Ok(())
    }
}

/// The name of a table by its folder.
fn whole(folder: &str) -> Option<&str> {
    folder.strip_suffix(".lance").filter(|name| !name.starts_with('.'))
}

/// The name of a table by the folder, less its ending, that it had while it was made or dropped: `.NAME.UUID`.
fn set_aside(folder: &str) -> Option<&str> {
    let (name, id) = folder.strip_prefix('.')?.rsplit_once('.')?;
    uuid::Uuid::parse_str(id).ok().map(|_| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::EmbedderChoice;

    fn open(root: &Path) -> Result<std::sync::Arc<Database>> {
        Database::open(root, EmbedderChoice::named(Some("hash".into())))
    }

    #[test]
    fn a_database_that_was_hardly_begun_is_one() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("tables")).unwrap();
        open(root.path()).unwrap().create().unwrap();
        assert_eq!(of(root.path()).unwrap(), Some(LAYOUT));
        fs::write(root.path().join("VERSION"), "").unwrap();
        fs::create_dir_all(root.path().join("tables/usa.lance")).unwrap();
        assert_eq!(open(root.path()).unwrap().tables(), ["usa"]);
        assert_eq!(of(root.path()).unwrap(), Some(LAYOUT));
        let other = tempfile::tempdir().unwrap();
        fs::write(other.path().join("letter.txt"), "").unwrap();
        assert!(open(other.path()).is_err());
    }

    #[test]
    fn tables_of_the_first_layout_get_their_names() {
        let root = tempfile::tempdir().unwrap();
        let (old, new) = (uuid::Uuid::now_v7(), uuid::Uuid::now_v7());
        fs::write(root.path().join("VERSION"), "1\n").unwrap();
        for folder in [
            "japan.lance".to_string(),
            // Killed between the two steps of replacing it.
            format!(".usa.{old}.dropped"),
            format!(".usa.{new}.new"),
            // Killed while it removed what was replaced.
            format!(".japan.{old}.dropped"),
        ] {
            fs::create_dir_all(root.path().join("tables").join(folder)).unwrap();
        }
        fs::write(root.path().join("tables/.usa.lock"), "").unwrap();
        for _ in 0..2 {
            let database = open(root.path()).unwrap();
            assert_eq!(database.tables(), ["japan", "usa"]);
            assert!(database.existing("usa").unwrap().path.ends_with(format!(".usa.{old}.dropped")));
            assert_eq!(database.catalog().unwrap().dropped_tables().unwrap().len(), 1);
            // Killed before the version was written: all of it is done again.
            fs::write(root.path().join("VERSION"), "1\n").unwrap();
        }
        let left = fs::read_dir(root.path().join("tables")).unwrap().count();
        assert_eq!(left, 3);
    }
}
