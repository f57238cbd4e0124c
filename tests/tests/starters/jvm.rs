//! A Java program in Debian's OpenJDK 17: the HTTP server of the platform, threads, files, a child, a dump of its threads.

use std::io::Write as _;
use std::process::Command;

use kpol_tests::service::{Program, Stage, inside, rest};
use kpol_tests::skip::{Skip, cache_dir};

const PORT: u16 = 8080;

const SERVICE: &str = r#"
import com.sun.net.httpserver.*;
import java.io.*;
import java.net.*;
import java.net.http.*;
import java.nio.file.*;
import java.util.concurrent.*;
import java.util.stream.*;

public class Service {
    static volatile String version;
    static Object nothing;

    static void load() throws IOException {
        version = Files.readString(Path.of("/srv/app/version"));
        System.out.println("loaded " + version);
    }

    static String work(byte[] body) throws Exception {
        Path folder = Files.createTempDirectory(Path.of("/srv/tmp"), "upload");
        Path file = folder.resolve("file");
        try (RandomAccessFile open = new RandomAccessFile(file.toFile(), "rw")) {
            open.write(body);
            open.getFD().sync();
            open.getChannel().map(java.nio.channels.FileChannel.MapMode.READ_ONLY, 0, body.length).load();
        }
        Files.move(file, Path.of("/srv/tmp/kept"), StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
        Files.copy(Path.of("/srv/tmp/kept"), folder.resolve("copy"));
        long count;
        try (Stream<Path> names = Files.list(folder)) { count = names.count(); }
        Files.delete(folder.resolve("copy"));
        Files.delete(folder);
        Process child = new ProcessBuilder("/usr/bin/env", "echo", "child").start();
        String said = new BufferedReader(new InputStreamReader(child.getInputStream())).readLine();
        child.waitFor();
        long sum = IntStream.range(0, 2000).parallel().mapToObj(i -> new byte[20000]).mapToLong(bytes -> bytes.length).sum();
        System.gc();
        return count + " " + said + " " + sum;
    }

    static void answer(HttpExchange exchange, Callable<String> text) throws IOException {
        byte[] bytes;
        int status = 200;
        try { bytes = text.call().getBytes(); } catch (Throwable thrown) {
            thrown.printStackTrace(System.out);
            bytes = thrown.toString().getBytes();
            status = 500;
        }
        exchange.getResponseHeaders().set("Connection", "close");
        exchange.sendResponseHeaders(status, bytes.length);
        try (OutputStream out = exchange.getResponseBody()) { out.write(bytes); }
    }

    public static void main(String[] args) throws Exception {
        load();
        InetSocketAddress address = new InetSocketAddress(args[0], Integer.parseInt(args[1]));
        HttpServer server = HttpServer.create(address, 0);
        ExecutorService pool = Executors.newFixedThreadPool(4);
        server.setExecutor(pool);
        server.createContext("/version", exchange -> answer(exchange, () -> version));
        server.createContext("/crash", exchange -> answer(exchange, () -> nothing.toString()));
        server.createContext("/proxy", exchange -> answer(exchange, () -> {
            URI other = URI.create("http://" + args[0] + ":" + args[1] + "/version");
            String text = HttpClient.newHttpClient().send(HttpRequest.newBuilder(other).build(), HttpResponse.BodyHandlers.ofString()).body();
            try { InetAddress.getByName("nobody.invalid"); } catch (UnknownHostException nobody) { text += ", nobody"; }
            return text;
        }));
        server.createContext("/", exchange -> {
            byte[] body = exchange.getRequestBody().readAllBytes();
            answer(exchange, () -> work(body));
        });
        sun.misc.Signal.handle(new sun.misc.Signal("HUP"), signal -> {
            try { load(); } catch (IOException error) { error.printStackTrace(System.out); }
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            System.out.println("stopping");
            server.stop(30);
            pool.shutdown();
            System.out.println("stopped");
        }));
        server.start();
        System.out.println("ready");
    }
}
"#;

pub fn session(stage: &Stage<'_>) -> Result<(), Skip> {
    let java = inside("lib/jvm/java-17-openjdk-amd64/bin/java")?;
    let javac = inside("lib/jvm/java-17-openjdk-amd64/bin/javac")?;
    let outside = |path: &str| match path.strip_prefix("/programs/") {
        Some(rest) => cache_dir().join("programs").join(rest),
        None => path.into(),
    };
    stage.write("srv/app/Service.java", SERVICE);
    let compiled = Command::new(outside(&javac))
        .arg("-d")
        .arg(stage.path("srv/app"))
        .arg(stage.path("srv/app/Service.java"))
        .output();
    let compiled = compiled.unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    stage.folder("srv/tmp", 1000);
    stage.write("srv/app/version", "first");
    let port = PORT.to_string();
    let mut program = Program::new(&[&java, "-Xmx256m", "-cp", "/srv/app", "Service", &stage.address, &port]);
    program.mounts.push((outside("/etc/java-17-openjdk"), "/etc/java-17-openjdk"));
    if java.starts_with("/programs/") {
        program.mounts.pop();
        program.mounts.push((cache_dir().join("programs/etc/java-17-openjdk"), "/etc/java-17-openjdk"));
    }
    stage.write("etc/resolv.conf", &format!("nameserver {}\n", stage.address));
    let mut service = stage.start(&program)?;
    service.says(&["ready"]);

    assert!(stage.get(PORT, "/version").ends_with("first"));
    let body = "x".repeat(100_000);
    let post =
        format!("POST / HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let answer = stage.ask(PORT, &post);
    assert!(answer.ends_with("1 child 40000000"), "{answer}");
    assert_eq!(stage.text("srv/tmp/kept"), body);
    assert!(stage.get(PORT, "/proxy").ends_with("first, nobody"));

    // Reload.
    stage.write("srv/app/version", "second");
    service.signal(1, libc::SIGHUP);
    service.says(&["loaded second"]);
    assert!(stage.get(PORT, "/version").ends_with("second"));

    // A request that crashes ends alone; what all threads do is written on demand.
    assert!(stage.get(PORT, "/crash").contains("NullPointerException"));
    service.says(&["NullPointerException"]);
    service.signal(1, libc::SIGQUIT);
    service.says(&["Full thread dump"]);
    assert!(stage.get(PORT, "/version").ends_with("second"));

    // A stop that lets the request finish.
    let mut slow = stage.connect(PORT);
    slow.write_all(b"POST / HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 4\r\n\r\nla").unwrap();
    stage.get(PORT, "/version");
    service.signal(1, libc::SIGTERM);
    service.says(&["stopping"]);
    slow.write_all(b"st").unwrap();
    assert!(rest(slow).ends_with("1 child 40000000"));
    let (status, said) = service.ends();
    assert_eq!(status, Some(128 + libc::SIGTERM), "{said}");
    assert!(said.contains("stopped"), "{said}");
    Ok(())
}
