//! A real service made with Go, under `examples/go-service.kpol`: it starts, serves HTTP to itself over TCP, uses files,
//! threads and the garbage collector, and is refused what the profile refuses.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::Path;
use std::process::Command;

const SERVICE: &str = r#"package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

func must(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(3)
	}
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "served "+r.URL.Path)
	}))
	var all sync.WaitGroup
	for i := 0; i < 16; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			runtime.LockOSThread()
			answer, err := http.Get("http://" + listener.Addr().String() + "/x")
			must(err)
			body, err := io.ReadAll(answer.Body)
			must(err)
			if string(body) != "served /x" {
				must(fmt.Errorf("odd answer %q", body))
			}
			answer.Body.Close()
		}()
	}
	all.Wait()

	file := filepath.Join(os.Args[1], "upload")
	must(os.WriteFile(file+".new", make([]byte, 1<<20), 0o600))
	must(os.Rename(file+".new", file))
	text, err := os.ReadFile(file)
	must(err)
	must(os.Remove(file))
	waste := 0
	for i := 0; i < 200; i++ {
		waste += len(append([]byte{}, text...))
	}
	runtime.GC()
	time.Sleep(time.Millisecond)
	fmt.Println("worked", waste>>20)

	_, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_ICMP)
	fmt.Println("raw socket:", err)
	_, err = syscall.Socket(38, syscall.SOCK_SEQPACKET, 0)
	fmt.Println("AF_ALG:", err)
	fmt.Println("unshare:", syscall.Unshare(syscall.CLONE_NEWUSER))
}
"#;

#[test]
fn a_go_service_works_under_its_example() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("main.go");
    fs::write(&source, SERVICE).unwrap();
    let program = folder.path().join("service");
    // The cache outlives the test: else Go's library would be compiled each time.
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go");
    let built = Command::new("go")
        .args(["build", "-o"])
        .args([&program, &source])
        .env("CGO_ENABLED", "0")
        .env("GO111MODULE", "off")
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "")
        .env("GOCACHE", cache.join("cache"))
        .env("GOPATH", cache.join("path"))
        .output();
    match built {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => {
            assert!(std::env::var_os("KPOL_NO_SKIP").is_none(), "can't run here: no `go`");
            eprintln!("SKIPPED: a_go_service_works_under_its_example: no `go`: {error}");
            return;
        }
    }
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/go-service.kpol");
    let output = Command::new(env!("CARGO_BIN_EXE_kpolc"))
        .args(["run", "-q", "--cap", "none"])
        .args([&example, Path::new("--"), &program, folder.path()])
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if err.contains("the kernel did not take the filter") {
        eprintln!("SKIPPED: a_go_service_works_under_its_example: {err}");
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "worked 200", "{out}{err}");
    for (line, name) in lines[1..].iter().zip(["raw socket", "AF_ALG", "unshare"]) {
        assert!(
            line.starts_with(name) && (line.contains("not permitted") || line.contains("not supported")),
            "{line}: {out}{err}"
        );
    }
}
