//! Starts a private PostgreSQL in a temporary directory, reached through a unix socket alone, and makes sure
//! that it goes with the test process, however that ends.

use std::fs::{self, DirBuilder};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use postgres::{Config, NoTls};

const PREFIX: &str = "plimsoll-pg-";
const SOCKET: &str = ".s.PGSQL.5432";

/// Stops the server and removes its directory when its standard input ends, and that is when the test
/// process ends: by success, panic or `kill -9`.
const KEEPER: &str = r#"
trap '' INT TERM HUP
"$@" &
server=$!
cat > /dev/null
kill -QUIT "$server" 2> /dev/null
wait "$server"
rm -rf "$DIRECTORY"
"#;

/// Starts the server and waits until it answers.
pub fn start() -> Result<Config, String> {
    let binaries = binaries().ok_or("no PostgreSQL server found in /usr/lib/postgresql or on PATH")?;
    let directory = make_directory()?;
    let owner = Owner::of(&directory)?;
    sweep(&directory, &owner);
    let data = directory.join("data");
    let mut initdb = owner.command(&binaries.join("initdb"));
    initdb.args(["-N", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "-D"]).arg(&data);
    let output = initdb.output().map_err(|error| format!("initdb: {error}"))?;
    if !output.status.success() {
        let _ = fs::remove_dir_all(&directory);
        return Err(format!("initdb: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let settings = "listen_addresses = ''\nport = 5432\nfsync = off\nsynchronous_commit = off\nfull_page_writes = off\n\
                    autovacuum = off\njit = off\nshared_buffers = 32MB\nmax_connections = 100\ntimezone = 'UTC'\n\
                    lc_messages = 'C'\nlog_timezone = 'UTC'\n";
    let written = fs::OpenOptions::new().append(true).open(data.join("postgresql.conf"));
    written
        .and_then(|mut file| file.write_all(settings.as_bytes()))
        .map_err(|error| format!("postgresql.conf: {error}"))?;
    keep(&binaries, &owner, &directory, &data)?;
    let mut config = Config::new();
    config.host_path(&directory).port(5432).user("postgres").dbname("postgres");
    let patience = Instant::now() + Duration::from_secs(60);
    while config.connect(NoTls).is_err() {
        if Instant::now() > patience {
            let log = fs::read_to_string(directory.join("log")).unwrap_or_default();
            return Err(format!("the private server did not start:\n{log}"));
        }
        std::thread::sleep(Duration::from_millis(30));
    }
    Ok(config)
}

fn keep(binaries: &Path, owner: &Owner, directory: &Path, data: &Path) -> Result<(), String> {
    // Held until the process ends: closing its standard input is what ends the server.
    static KEEPERS: Mutex<Vec<Child>> = Mutex::new(Vec::new());
    let log = fs::File::create(directory.join("log")).map_err(|error| format!("log: {error}"))?;
    let mut server = owner.command(&binaries.join("postgres"));
    server.arg("-D").arg(data).arg("-k").arg(directory);
    let mut keeper = Command::new("/bin/sh");
    keeper.args(["-c", KEEPER, "keeper"]).arg(server.get_program()).args(server.get_args());
    keeper.env("DIRECTORY", directory).env("LC_ALL", "C").current_dir("/");
    keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
    let child = keeper.spawn().map_err(|error| format!("/bin/sh: {error}"))?;
    KEEPERS.lock().expect("nobody panics while holding this").push(child);
    Ok(())
}

/// The newest server of Debian's packages, else the one on PATH.
fn binaries() -> Option<PathBuf> {
    let packaged = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let majors = packaged.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut majors: Vec<u32> = majors.collect();
    majors.sort_by_key(|major| std::cmp::Reverse(*major));
    let packaged = majors.into_iter().map(|major| PathBuf::from(format!("/usr/lib/postgresql/{major}/bin")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = packaged.chain(std::env::split_paths(&path)).find(|folder| {
        let executable =
            |name| fs::metadata(folder.join(name)).is_ok_and(|file| file.permissions().mode() & 0o111 != 0);
        executable("postgres") && executable("initdb")
    });
    // `postgres` finds its own files from where it really lies.
    found.map(|folder| fs::canonicalize(&folder).unwrap_or(folder))
}

fn make_directory() -> Result<PathBuf, String> {
    let mut parent = std::env::temp_dir();
    if parent.as_os_str().len() > 60 {
        // The path of a unix socket holds 107 bytes at most.
        parent = PathBuf::from("/tmp");
    }
    let directory = parent.join(format!("{PREFIX}{}", std::process::id()));
    if directory.exists() {
        // Left by a process that had our number: it is gone, or we would not have it.
        end_stale_server(&directory);
        fs::remove_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    }
    let made = DirBuilder::new().mode(0o700).create(&directory);
    made.map_err(|error| format!("{}: {error}", directory.display()))?;
    Ok(directory)
}

/// Who runs the server: ourselves, or somebody unprivileged, since the server refuses to run as root.
struct Owner {
    /// User and group where they are not ours.
    other: Option<(u32, u32)>,
}

impl Owner {
    /// Gives the directory to whoever runs the server.
    fn of(directory: &Path) -> Result<Owner, String> {
        let ours = fs::metadata(directory).map_err(|error| error.to_string())?.uid();
        if ours != 0 {
            return Ok(Owner { other: None });
        }
        let users = fs::read_to_string("/etc/passwd").map_err(|error| format!("/etc/passwd: {error}"))?;
        let (uid, gid) = ["postgres", "nobody"]
            .iter()
            .find_map(|name| {
                let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
                let mut fields = line.split(':').skip(2);
                Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
            })
            .ok_or("neither postgres nor nobody is a user here")?;
        chown(directory, Some(uid), Some(gid)).map_err(|error| format!("chown: {error}"))?;
        Ok(Owner { other: Some((uid, gid)) })
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = match self.other {
            None => Command::new(program),
            Some((uid, gid)) => {
                // Not `runuser`: it forks, and a signal would reach it instead of the server.
                let mut command = Command::new("setpriv");
                command.arg(format!("--reuid={uid}")).arg(format!("--regid={gid}")).arg("--clear-groups").arg(program);
                command
            }
        };
        command.env("LC_ALL", "C").current_dir("/").stdin(Stdio::null());
        command
    }
}

/// Removes what killed keepers left. Servers of living tests, also of other containers that share the
/// temporary directory, are left alone.
fn sweep(ours: &Path, owner: &Owner) {
    let Some(parent) = ours.parent() else { return };
    let Ok(mine) = fs::metadata(ours) else { return };
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(process) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
        let directory = entry.path();
        let same_owner = fs::symlink_metadata(&directory).is_ok_and(|found| {
            found.is_dir() && (found.uid() == mine.uid() || owner.other.is_some() && found.uid() == 0)
        });
        if directory == ours || !same_owner || !Path::new("/proc/self").exists() {
            continue;
        }
        if Path::new("/proc").join(process).exists() {
            continue;
        }
        end_stale_server(&directory);
        if UnixStream::connect(directory.join(SOCKET)).is_err() {
            let _ = fs::remove_dir_all(&directory);
        }
    }
}

/// Ends the server of a directory whose test process is gone, if it still runs and is visible here.
fn end_stale_server(directory: &Path) {
    let Ok(file) = fs::read_to_string(directory.join("data/postmaster.pid")) else { return };
    let Some(process) = file.lines().next() else { return };
    let command_line = fs::read(Path::new("/proc").join(process).join("cmdline")).unwrap_or_default();
    if String::from_utf8_lossy(&command_line).contains(&*directory.to_string_lossy()) {
        let _ = Command::new("/bin/kill").args(["-QUIT", process]).status();
        std::thread::sleep(Duration::from_millis(500));
    }
}
