//! A service that Debian's Go makes: HTTP, files, a call to another service, goroutines and the garbage collector.

use std::io::Write as _;
use std::process::Command;

use kpol_tests::service::{Program, Stage, rest};
use kpol_tests::skip::{Skip, cache_dir, program};

const PORT: u16 = 8080;

const SERVICE: &str = r#"package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func work(body []byte) (string, error) {
	folder, err := os.MkdirTemp("/srv/tmp", "upload")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "file")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	if _, err = file.Write(body); err != nil {
		return "", err
	}
	if err = file.Sync(); err != nil {
		return "", err
	}
	file.Close()
	if err = os.Rename(path, "/srv/tmp/kept"); err != nil {
		return "", err
	}
	names, err := os.ReadDir("/srv/tmp")
	if err != nil {
		return "", err
	}
	var all sync.WaitGroup
	for i := 0; i < 16; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			runtime.LockOSThread()
			waste := 0
			for j := 0; j < 200; j++ {
				waste += len(append([]byte{}, body...))
			}
		}()
	}
	all.Wait()
	runtime.GC()
	return fmt.Sprint("kept ", len(names) > 0), nil
}

func main() {
	address := os.Args[1]
	var version atomic.Value
	load := func() {
		text, err := os.ReadFile("/srv/app/version")
		if err != nil {
			log.Fatal(err)
		}
		version.Store(string(text))
		fmt.Println("loaded", string(text))
	}
	load()
	http.HandleFunc("/version", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, version.Load().(string)) })
	http.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "/srv/tmp/kept") })
	http.HandleFunc("/crash", func(w http.ResponseWriter, r *http.Request) { var nothing *int; *nothing = 1 })
	http.HandleFunc("/proxy", func(w http.ResponseWriter, r *http.Request) {
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		answer, err := client.Get("http://" + address + "/version")
		if err != nil {
			http.Error(w, err.Error(), 502)
			return
		}
		defer answer.Body.Close()
		io.Copy(w, answer.Body)
		_, err = net.LookupHost("nobody.invalid")
		fmt.Fprint(w, " asked ", err != nil)
	})
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			var text string
			text, err = work(body)
			io.WriteString(w, text)
		}
		if err != nil {
			http.Error(w, err.Error(), 500)
		}
	})
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM)
	listener, err := net.Listen("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{}
	go server.Serve(listener)
	fmt.Println("ready")
	for got := range signals {
		if got == syscall.SIGHUP {
			load()
			continue
		}
		fmt.Println("stopping")
		within, done := context.WithTimeout(context.Background(), time.Minute)
		defer done()
		if err := server.Shutdown(within); err != nil {
			log.Fatal(err)
		}
		fmt.Println("stopped")
		return
	}
}
"#;

pub fn session(stage: &Stage<'_>) -> Result<(), Skip> {
    let cache = cache_dir().join("go");
    stage.write("srv/app/main.go", SERVICE);
    let built = Command::new(program("go")?)
        .args(["build", "-o"])
        .args([stage.path("srv/app/service"), stage.path("srv/app/main.go")])
        .env("CGO_ENABLED", "0")
        .env("GO111MODULE", "off")
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "")
        .env("GOCACHE", std::path::absolute(cache.join("cache")).unwrap())
        .env("GOPATH", std::path::absolute(cache.join("path")).unwrap())
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    stage.folder("srv/tmp", 1000);
    stage.write("srv/app/version", "first");
    stage.write("etc/resolv.conf", &format!("nameserver {}\n", stage.address));
    let address = format!("{}:{PORT}", stage.address);
    let mut service = stage.start(&Program::new(&["/srv/app/service", &address]))?;
    service.says(&["ready"]);

    assert!(stage.get(PORT, "/version").ends_with("first"));
    let body = "x".repeat(100_000);
    let post =
        format!("POST / HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let answer = stage.ask(PORT, &post);
    assert!(answer.ends_with("kept true"), "{answer}");
    assert_eq!(stage.text("srv/tmp/kept"), body);
    assert!(stage.get(PORT, "/file").ends_with(&body));
    let answer = stage.get(PORT, "/proxy");
    assert!(answer.contains("first") && answer.contains("asked true"), "{answer}");

    // Reload.
    stage.write("srv/app/version", "second");
    service.signal(1, libc::SIGHUP);
    service.says(&["loaded second"]);
    assert!(stage.get(PORT, "/version").ends_with("second"));

    // A request that crashes ends alone: the trap of the processor becomes a panic, which the server catches.
    assert_eq!(stage.get(PORT, "/crash"), "");
    service.says(&["nil pointer dereference"]);
    assert!(stage.get(PORT, "/version").ends_with("second"));

    // A stop that lets the request finish.
    let mut slow = stage.connect(PORT);
    slow.write_all(b"POST / HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 4\r\n\r\nla").unwrap();
    stage.get(PORT, "/version");
    service.signal(1, libc::SIGTERM);
    service.says(&["stopping"]);
    slow.write_all(b"st").unwrap();
    assert!(rest(slow).ends_with("kept true"));
    let (status, said) = service.ends();
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("stopped"), "{said}");
    Ok(())
}
