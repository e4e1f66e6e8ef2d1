//! `segue completions`, in the shells that read it.

use crate::{process::segue, program::bash};

/// The completions that bash offers for the last word.
fn offered(words: &[&str]) -> String {
    let script = r#"source <(segue completions bash) && complete -p segue > /dev/null
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _segue segue "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        printf '%s ' "${COMPREPLY[@]}""#;
    let output = bash().args(["--norc", "-c", script, "bash"]).args(words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn bash_completes_commands_options_and_values() {
    assert_eq!(offered(&["segue", "tr"]), "track-event ");
    assert_eq!(offered(&["segue", "redrive", "--dry"]), "--dry-run ");
    assert_eq!(offered(&["segue", "--log-format", "j"]), "json ");
    assert!(offered(&["segue", "serve", "--"]).contains("--segment-endpoint"));
}

#[test]
fn there_is_a_completion_for_every_shell() {
    for (shell, expected) in [
        ("bash", "complete -F _segue"),
        ("zsh", "#compdef segue"),
        ("fish", "complete -c segue"),
        ("elvish", "edit:completion:arg-completer[segue]"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let output = segue().args(["completions", shell]).output().unwrap();
        assert!(String::from_utf8(output.stdout).unwrap().contains(expected), "{shell}");
    }
}
