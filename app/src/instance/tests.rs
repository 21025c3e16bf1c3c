//! Claiming, asking, and what is left after an unclean end.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};

use super::*;

fn folders(root: &tempfile::TempDir) -> Folders {
    let base = root.path();
    Folders {
        data: base.join("data"),
        config: base.join("config"),
        state: base.join("state"),
        cache: base.join("cache"),
        runtime: base.join("run/onebit"),
    }
}

fn first(folders: &Folders) -> Place {
    match claim(folders).unwrap() {
        Claim::First(place) => place,
        Claim::Other(_) => panic!("somebody else holds the place"),
    }
}

/// The tokens with which it was asked for the window.
type Raised = Arc<Mutex<Vec<Option<String>>>>;

fn serve(place: Place, raised: &Raised) -> Server {
    let raised = Arc::clone(raised);
    let answers = Answers {
        status: Box::new(|| json!({ "running": true, "lane": "reference" })),
        raise: Box::new(move |token| raised.lock().unwrap().push(token)),
    };
    Server::start(place, answers).unwrap()
}

#[test]
fn the_second_finds_the_first_and_raises_its_window() {
    let root = tempfile::tempdir().unwrap();
    let folders = folders(&root);
    let raised = Raised::default();
    let server = serve(first(&folders), &raised);
    let Claim::Other(client) = claim(&folders).unwrap() else { panic!("two hold the place") };
    // What cannot be a token is none.
    for token in [Some("token"), None, Some("no token\n")] {
        client.raise(token).unwrap();
    }
    assert_eq!(*raised.lock().unwrap(), [Some("token".to_owned()), None, None]);
    assert_eq!(status(&folders).unwrap().unwrap()["lane"], "reference");
    drop(server);
    assert_eq!(status(&folders).unwrap(), None);
    assert!(matches!(claim(&folders).unwrap(), Claim::First(_)));
}

#[test]
fn a_socket_left_by_a_dead_process_counts_as_not_running_and_is_replaced() {
    let root = tempfile::tempdir().unwrap();
    let folders = folders(&root);
    std::fs::create_dir_all(&folders.runtime).unwrap();
    drop(UnixListener::bind(folders.runtime.join(SOCKET)).unwrap());
    assert!(folders.runtime.join(SOCKET).exists());
    assert_eq!(status(&folders).unwrap(), None);
    let server = serve(first(&folders), &Arc::default());
    assert!(status(&folders).unwrap().is_some());
    drop(server);
    assert!(!folders.runtime.join(SOCKET).exists());
}

#[test]
fn folder_and_socket_are_private() {
    let root = tempfile::tempdir().unwrap();
    let folders = folders(&root);
    std::fs::create_dir_all(&folders.runtime).unwrap();
    std::fs::set_permissions(&folders.runtime, std::fs::Permissions::from_mode(0o777)).unwrap();
    let _server = serve(first(&folders), &Arc::default());
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folders.runtime), 0o700);
    assert_eq!(mode(&folders.runtime.join(SOCKET)), 0o600);
}

#[test]
fn nonsense_and_endless_questions_do_not_stop_the_server() {
    let root = tempfile::tempdir().unwrap();
    let folders = folders(&root);
    let _server = serve(first(&folders), &Arc::default());
    let connect = || UnixStream::connect(folders.runtime.join(SOCKET)).unwrap();
    let answer = exchange(&mut connect(), &json!({ "ask": "everything" })).unwrap();
    assert!(answer.contains("error"), "{answer}");
    let mut endless = connect();
    // The server hangs up somewhere in the middle, which may fail the write.
    let _ = endless.write_all(&vec![b'x'; 1 << 20]);
    drop(connect());
    assert!(status(&folders).unwrap().is_some());
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_that_names_it() {
    let root = tempfile::tempdir().unwrap();
    let mut folders = folders(&root);
    std::fs::write(root.path().join("file"), b"").unwrap();
    folders.runtime = root.path().join("file/onebit");
    let Err(problem) = claim(&folders) else { panic!("a file was used as a folder") };
    assert!(problem.to_string().contains("file/onebit"), "{problem}");
    assert_eq!(status(&folders).unwrap(), None);
}
