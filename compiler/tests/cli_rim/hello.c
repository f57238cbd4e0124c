/* A program as small as programs are: it starts, writes, takes and gives back memory, reads a file, handles a signal, and ends. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile sig_atomic_t handled;

static void handle(int signal) { handled = signal; }

int main(int argc, char **argv) {
    size_t size = 1 << 20;
    char *memory = malloc(size);
    memset(memory, 1, size);
    memory = realloc(memory, 4 * size);
    free(memory);
    signal(SIGUSR1, handle);
    raise(SIGUSR1);
    FILE *file = fopen(argv[argc - 1], "r");
    char line[8] = "";
    if (file) {
        fgets(line, sizeof line, file);
        fclose(file);
    }
    getchar();
    if (handled == SIGUSR1)
        puts("started");
    fprintf(stderr, "%s", line);
    if (argc > 1 && !strcmp(argv[1], "abort"))
        abort();
    return 0;
}
