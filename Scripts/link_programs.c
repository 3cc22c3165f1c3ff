// All programs in one file, which is the one by whose name it is called: five that hold the same libraries are five times
// as large. Linked by link_programs.sh.
#include <stdio.h>
#include <string.h>

typedef int Program(int argc, char **argv);

// What Swift's package manager calls the `main` of a program's module.
Program VesselService_main, UserService_main, ConsignmentService_main, EmailService_main, APIGateway_main;

static const struct {
    const char *name;
    Program *run;
} programs[] = {
    {"shippy-vessel-service", VesselService_main},
    {"shippy-user-service", UserService_main},
    {"shippy-consignment-service", ConsignmentService_main},
    {"shippy-email-service", EmailService_main},
    {"shippy-api-gateway", APIGateway_main},
    // micro's name for the gateway, by which the series' manifest starts it.
    {"api", APIGateway_main},
};

int main(int argc, char **argv) {
    const char *called = argc > 0 ? argv[0] : "";
    const char *slash = strrchr(called, '/');
    const char *name = slash ? slash + 1 : called;
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        if (strcmp(name, programs[i].name) == 0) return programs[i].run(argc, argv);
    }
    fprintf(stderr, "%s: call it by the name of a program:", name);
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) fprintf(stderr, " %s", programs[i].name);
    fputc('\n', stderr);
    return 64;
}
