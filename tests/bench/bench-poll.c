/* SPDX-License-Identifier: Apache-2.0 */
/* GET requests at an even rate by libcurl alone, on connections that are kept: what a poll costs
 * when nothing is made of its reply.
 *
 * usage: bench-poll RATE SECONDS USER:PASSWORD <URLS
 * Prints "requests N", "failed N" and "cpu_us N", the processor time a request. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <curl/curl.h>

#include "tests/bench/rounds.h"

#define HANDLES 32 /* as many requests may be under way, as with the daemon's default */
#define URL_SIZE 512
#define URLS_MAX 20000

typedef struct Bench {
        CURLM *multi;
        CURL *idle[HANDLES];
        size_t n_idle;
        char (*urls)[URL_SIZE];
        size_t n_urls;
        size_t n_started, n_done, n_failed;
} Bench;

static double seconds(void) {
        struct timespec t;

        must(clock_gettime(CLOCK_MONOTONIC, &t) == 0, "clock_gettime");
        return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static double processor_seconds(void) {
        struct rusage u;

        must(getrusage(RUSAGE_SELF, &u) == 0, "getrusage");
        return (double) (u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
               (double) (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static size_t discard(char *data, size_t size, size_t n, void *userdata) {
        return size * n;
}

static void read_urls(Bench *b) {
        b->urls = calloc(URLS_MAX, URL_SIZE);
        must(b->urls != NULL, "calloc");
        while (b->n_urls < URLS_MAX && fgets(b->urls[b->n_urls], URL_SIZE, stdin)) {
                b->urls[b->n_urls][strcspn(b->urls[b->n_urls], "\n")] = '\0';
                b->n_urls++;
        }
        must(b->n_urls > 0, "reading URLs");
}

static void make_handles(Bench *b, const char *credentials) {
        b->multi = curl_multi_init();
        must(b->multi != NULL, "curl_multi_init");
        curl_multi_setopt(b->multi, CURLMOPT_MAXCONNECTS, (long) HANDLES);
        for (; b->n_idle < HANDLES; b->n_idle++) {
                CURL *h = curl_easy_init();
                must(h != NULL, "curl_easy_init");
                curl_easy_setopt(h, CURLOPT_USERPWD, credentials);
                curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, discard);
                curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
                b->idle[b->n_idle] = h;
        }
}

static void collect(Bench *b) {
        CURLMsg *m;
        int left;

        while ((m = curl_multi_info_read(b->multi, &left))) {
                CURL *h = m->easy_handle;
                long status = 0;

                curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
                b->n_failed += m->data.result != CURLE_OK || status != 200;
                b->n_done++;
                curl_multi_remove_handle(b->multi, h);
                b->idle[b->n_idle++] = h;
        }
}

/* How long until the next request is due, in milliseconds, rounded up. */
static int pause_before_next(const Bench *b, double elapsed, double rate) {
        double left = (double) b->n_started / rate - elapsed;

        return left > 0 ? (int) (1000 * left) + 1 : 0;
}

static void run(Bench *b, double rate, double span) {
        double start = seconds(), elapsed = 0;
        int running = 0;

        while (elapsed < span || running > 0) {
                while (elapsed < span && b->n_idle > 0 &&
                                pause_before_next(b, elapsed, rate) == 0) {
                        CURL *h = b->idle[--b->n_idle];
                        curl_easy_setopt(h, CURLOPT_URL, b->urls[b->n_started++ % b->n_urls]);
                        must(curl_multi_add_handle(b->multi, h) == CURLM_OK, "a request");
                }
                must(curl_multi_perform(b->multi, &running) == CURLM_OK, "curl_multi_perform");
                collect(b);
                int pause = elapsed < span && b->n_idle > 0 ? pause_before_next(b, elapsed, rate)
                                                            : 1000;
                if (running > 0 || elapsed < span)
                        must(curl_multi_poll(b->multi, NULL, 0, pause, NULL) == CURLM_OK,
                                        "curl_multi_poll");
                elapsed = seconds() - start;
        }
}

int main(int argc, char **argv) {
        Bench b = {0};
        double used;

        must(argc == 4 && atof(argv[1]) > 0 && atof(argv[2]) > 0, "reading the arguments");
        must(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK, "curl_global_init");
        read_urls(&b);
        make_handles(&b, argv[3]);
        used = processor_seconds();
        run(&b, atof(argv[1]), atof(argv[2]));
        used = processor_seconds() - used;
        must(b.n_done > 0, "every request");
        printf("requests %zu\nfailed %zu\ncpu_us %.1f\n", b.n_done, b.n_failed,
                        1e6 * used / (double) b.n_done);
        while (b.n_idle > 0)
                curl_easy_cleanup(b.idle[--b.n_idle]);
        curl_multi_cleanup(b.multi);
        curl_global_cleanup();
        free(b.urls);
        return 0;
}
