/* SPDX-License-Identifier: Apache-2.0 */
/* The node as a program: reads its configuration, starts the shards, ends them at a signal. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "ops/arguments.h"
#include "ops/cluster_tls.h"
#include "ops/config/config_load.h"
#include "ops/descriptors.h"
#include "ops/endpoint_tls.h"
#include "ops/listen_check.h"
#include "ops/lookup.h"
#include "ops/resolver.h"
#include "ops/version.h"
#include "runtime/clock.h"
#include "runtime/log.h"
#include "runtime/random.h"
#include "runtime/tls.h"
#include "shards/node.h"

enum {
    EXIT_WRONG_CONFIGURATION = 2,
    /* How often a stopping node is looked at. */
    DRAIN_LOOK_MS = 10,
    START_LOOK_MS = 1,
    PROCESS_LOOK_S = 5,
    /* The node cuts its clients at shutdown.timeout; this much later it is not waited for any more.
     */
    DRAIN_GRACE_MS = 5000,
};

/* Of the process: a configuration that is read again is of the same arguments. */
static struct arguments program_arguments;

static int print_report(const struct config_report *report)
{
    fputs(report->text, stderr);
    if (report->errors > CONFIG_REPORT_ERRORS_SHOWN) {
        fprintf(stderr, "and %zu errors more\n", report->errors - CONFIG_REPORT_ERRORS_SHOWN);
    }
    return report->errors > 0 ? EXIT_WRONG_CONFIGURATION : EXIT_SUCCESS;
}

static void block_signals(sigset_t *stops)
{
    sigemptyset(stops);
    sigaddset(stops, SIGTERM);
    sigaddset(stops, SIGINT);
    sigaddset(stops, SIGHUP);
    /* Before the shards start, so that every thread inherits it and none is interrupted. */
    pthread_sigmask(SIG_BLOCK, stops, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void log_lines(struct log *log, const char *event, const char *text)
{
    char escaped[1024];

    while (*text != '\0') {
        size_t len = strcspn(text, "\n");

        LOG(log, LOG_WARN, event, "message=\"%s\"",
            log_escape(text, len, escaped, sizeof(escaped)));
        text += len + (text[len] == '\n');
    }
}

/* Takes of a configuration what a running node can. False: `problem` says why nothing of it was
 * taken. */
static bool take_again(struct node *node, struct config *config, char problem[PEM_PROBLEM_SIZE])
{
    struct cluster_options *cluster = &config->options.cluster;
    const bool had_tls = node->options->cluster.tls != NULL;

    if (!node->options->cluster.enabled) {
        snprintf(problem, PEM_PROBLEM_SIZE,
                 "a running node takes cluster.keys and the certificates of cluster.tls alone");
        return false;
    }
    if (!cluster_tls_load(config, problem)) {
        return false;
    }
    const bool has_tls = cluster->tls != NULL;

    if (has_tls != had_tls || !node_offer_keys(node, &cluster->keyring)) {
        snprintf(problem, PEM_PROBLEM_SIZE, "%s",
                 has_tls == had_tls ? "memory is out"
                                    : "cluster.tls begins or ends with the start of a node");
        tls_context_destroy(cluster->tls);
        return false;
    }
    if (has_tls) {
        node_offer_tls(node, cluster->tls);
    }
    return true;
}

/* Reads the configuration again. */
static void reload(struct node *node, struct log *log)
{
    static struct config config;
    static struct config_report report;
    char problem[PEM_PROBLEM_SIZE] = "a wrong configuration";

    config_report_init(&report);
    config_load(&config, &program_arguments, (const char *const *)environ, &report);
    log_lines(log, "reload", report.errors > 0 ? report.text : "");
    if (report.errors == 0 && take_again(node, &config, problem)) {
        LOG(log, LOG_INFO, "reload", "result=taken cluster_keys=%u cluster_tls=%s",
            config.options.cluster.keyring.count,
            node->options->cluster.tls != NULL ? "yes" : "no");
    } else {
        LOG(log, LOG_WARN, "reload", "result=refused reason=\"%s\"", problem);
    }
    gossip_keyring_wipe(&config.options.cluster.keyring);
    config_free(&config);
}

/* What the process takes: memory in pages (proc(5)), time, descriptors. */
static void measure_process(struct node *node)
{
    struct node_process process = {0};
    unsigned long long pages = 0;
    unsigned long long resident = 0;
    struct rusage usage;
    struct rlimit limit;
    const uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);
    FILE *statm = fopen("/proc/self/statm", "r");

    if (statm == NULL) {
        return;
    }
    if (fscanf(statm, "%llu %llu", &pages, &resident) == 2 && getrusage(RUSAGE_SELF, &usage) == 0 &&
        getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        process.virtual_bytes = pages * page_size;
        process.resident_bytes = resident * page_size;
        process.cpu_ns = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * CLOCK_NS_A_S +
                         (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
        process.max_fds = limit.rlim_cur * node->shards;
        node_tell_process(node, &process);
    }
    fclose(statm);
}

/* Waits for the signal that ends the node. */
static int wait_for_stop(struct node *node, struct log *log, const sigset_t *stops)
{
    const struct timespec look = {.tv_sec = PROCESS_LOOK_S};

    for (;;) {
        int received = sigtimedwait(stops, NULL, &look);

        log_set_time(log, clock_read().wall_ms);
        if (received == SIGHUP) {
            reload(node, log);
        } else if (received > 0) {
            return received;
        }
        measure_process(node);
    }
}

/* The shards listen once the router has told them their place, which may take seconds. Returns 0,
 * the signal that ends the node before, or -1: one of the shards cannot listen. */
static int wait_until_listening(struct node *node, struct log *log, const sigset_t *stops)
{
    const struct timespec look = {.tv_nsec = START_LOOK_MS * 1000000};

    while (!node_is_listening(node)) {
        if (node_has_failed(node)) {
            return -1;
        }
        int received = sigtimedwait(stops, NULL, &look);

        if (received == SIGHUP) {
            reload(node, log);
        } else if (received > 0) {
            return received;
        }
    }
    return 0;
}

/* Every client is told to go; true when all went. */
static bool drain(struct node *node, struct shard_set *set, const sigset_t *stops)
{
    const struct timespec look = {.tv_nsec = DRAIN_LOOK_MS * 1000000};
    /* Looks are counted, not time: a stall ends nothing. */
    uint64_t looks = (node->options->shutdown_timeout_ms +
                      node->options->webhooks.flush_timeout_ms + DRAIN_GRACE_MS) /
                     DRAIN_LOOK_MS;

    node_stop_begin(node);
    for (uint32_t id = 0; id <= node->shards; id++) {
        poller_wake(shard_set_get(set, id)->poller);
    }
    while (!node_is_drained(node)) {
        int received = sigtimedwait(stops, NULL, &look);

        if (received == SIGTERM || received == SIGINT) {
            _exit(128 + received);
        }
        if (looks-- == 0) {
            return false;
        }
    }
    return true;
}

static void say_ready(const struct config *config, struct log *log)
{
    const bool has_internal = config->options.listen_internal.family != 0;
    char address[64];
    char internal[64];

    socket_address_format(&config->options.listen, address);
    socket_address_format(has_internal ? &config->options.listen_internal : &config->options.listen,
                          internal);
    LOG(log, LOG_INFO, "ready", "version=%s address=%s internal_address=%s shards=%u",
        config->options.version, address, internal, config->options.shards);
    printf("roostd %s is ready on %s%s%s, shards: %u\n", config->options.version, address,
           has_internal ? ", internally on " : "", has_internal ? internal : "",
           config->options.shards);
    fflush(stdout);
}

static void check_machine(const struct config *config, struct log *log)
{
    struct descriptor_facts facts = {.shards = config->options.shards,
                                     .connection_limit = config->options.client.connection_limit};
    char advice[DESCRIPTOR_ADVICE_SIZE];

    descriptors_prepare(&facts);
    descriptors_advise(&facts, advice);
    LOG(log, LOG_INFO, "descriptors", "a_shard=%llu connections_max=%llu",
        (unsigned long long)facts.limit, (unsigned long long)descriptors_capacity(&facts));
    log_lines(log, "limits", advice);
}

static int serve(struct node *node, const struct config *config, struct log *log,
                 const sigset_t *stops)
{
    struct shard_set_options options = node_shard_set_options(node);
    bool failed = false;

    /* With more shards than cores the kernel shares the cores better than a fixed choice would. */
    options.pin = config->runtime_pin && config->options.shards <= config->cores;
    options.io_uring = config->runtime_io_uring;
    options.congestion_control =
        config->tcp_congestion_control[0] == '\0' ? NULL : config->tcp_congestion_control;
    struct shard_set *set = shard_set_start(&options);

    log_set_time(log, clock_read().wall_ms);
    if (set == NULL) {
        LOG(log, LOG_ERROR, "start", "%s", "result=failed reason=\"the shards did not start\"");
        return EXIT_FAILURE;
    }
    struct helper_thread *lookup = lookup_start(node, config, &failed);
    struct helper_thread *resolver = failed ? NULL : resolver_start(node, &failed);

    int received = failed ? -1 : wait_until_listening(node, log, stops);

    log_set_time(log, clock_read().wall_ms);
    if (received < 0) {
        LOG(log, LOG_ERROR, "start", "result=failed reason=\"%s\"",
            failed ? "no thread can be had" : "a shard cannot listen");
        helper_thread_stop(lookup);
        helper_thread_stop(resolver);
        shard_set_stop(set);
        return EXIT_FAILURE;
    }
    if (received == 0) {
        measure_process(node);
        say_ready(config, log);
        received = wait_for_stop(node, log, stops);
    }
    log_set_time(log, clock_read().wall_ms);
    LOG(log, LOG_INFO, "stop", "signal=%s", received == SIGTERM ? "TERM" : "INT");
    bool all_went = drain(node, set, stops);

    helper_thread_stop(lookup);
    helper_thread_stop(resolver);
    shard_set_stop(set);
    log_set_time(log, clock_read().wall_ms);
    LOG(log, LOG_INFO, "stopped", "all_clients_left=%s", all_went ? "yes" : "no");
    return EXIT_SUCCESS;
}

/* Of the choice in the configuration. */
static enum log_level log_level_of(unsigned choice)
{
    static const enum log_level others[] = {LOG_DEBUG, LOG_ERROR, LOG_ERROR};
    return choice <= LOG_ERROR ? (enum log_level)choice : others[choice - LOG_ERROR - 1];
}

static bool check_listeners(const struct node_options *options, char problem[LISTEN_PROBLEM_SIZE])
{
    return listen_check(&options->listen, "--port", problem) &&
           (options->listen_internal.family == 0 ||
            listen_check(&options->listen_internal, "--http_server.internal_port", problem));
}

static int run(struct config *config, const struct config_report *notes)
{
    char problem[LISTEN_PROBLEM_SIZE];
    char tls_problem[PEM_PROBLEM_SIZE];
    struct random random;
    sigset_t stops;
    int result = EXIT_FAILURE;

    block_signals(&stops);
    log_set_level(log_level_of(config->log_level));
    struct log *log = log_create("main");

    if (log == NULL || !log_writer_start()) {
        fputs("roostd: the log cannot be started: memory or threads are out\n", stderr);
        return EXIT_FAILURE;
    }
    log_set_time(log, clock_read().wall_ms);
    log_lines(log, "configuration", notes->text);
    check_machine(config, log);
    random_init(&random);
    if (!check_listeners(&config->options, problem)) {
        LOG(log, LOG_ERROR, "start", "result=failed reason=\"%s\"", problem);
    } else if (!cluster_tls_load(config, tls_problem) || !endpoint_tls_load(config, tls_problem)) {
        LOG(log, LOG_ERROR, "start", "result=failed reason=\"%s\"", tls_problem);
    } else {
        struct node *node = node_create(&config->options, &random, clock_read().wall_ms);

        if (node != NULL) {
            result = serve(node, config, log, &stops);
            node_destroy(node);
        } else {
            LOG(log, LOG_ERROR, "start", "%s", "result=failed reason=\"memory is out\"");
        }
    }
    tls_context_destroy(config->options.cluster.tls);
    endpoint_tls_destroy(config);
    log_writer_stop();
    log_destroy(log);
    return result;
}

int main(int argc, char **argv)
{
    static struct config config;
    static struct config_report report;
    struct arguments *arguments = &program_arguments;

    config_report_init(&report);
    arguments_parse(argc, argv, arguments, &report);
    if (report.errors > 0) {
        return print_report(&report);
    }
    if (arguments->help) {
        fputs(arguments_usage, stdout);
        return EXIT_SUCCESS;
    }
    if (arguments->version) {
        puts("roostd " ROOST_VERSION);
        return EXIT_SUCCESS;
    }
    if (arguments->help_config) {
        config_print_reference(stdout);
        return EXIT_SUCCESS;
    }
    config_load(&config, arguments, (const char *const *)environ, &report);
    int result = EXIT_SUCCESS;

    if (arguments->check || report.errors > 0) {
        result = print_report(&report);
    }
    if (arguments->check) {
        config_print(&config, stdout);
    } else if (report.errors == 0) {
        result = run(&config, &report);
    }
    config_free(&config);
    return result;
}
