/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/nearest.h"
#include "base/text.h"
#include "daemon/config-parse.h"
#include "daemon/config.h"

#define AC "AC0123456789abcdef0123456789abcdef"
#define AC2 "ACfedcba9876543210fedcba9876543210"
#define SK "SK0123456789abcdef0123456789abcdef"

static char directory[64];

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static int setup(void **state) {
        strcpy(directory, "/tmp/test-config-XXXXXX");
        return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state) {
        return nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void write_bytes(const char *name, const char *text, size_t len, mode_t mode) {
        char path[256];

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        (void) unlink(path);
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, mode);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, len), (ssize_t) len);
        assert_int_equal(fchmod(fd, mode), 0);
        assert_int_equal(close(fd), 0);
}

static void write_file(const char *name, const char *text) {
        write_bytes(name, text, strlen(text), 0644);
}

static void make_directory(const char *name) {
        char path[256];

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        assert_int_equal(mkdir(path, 0755), 0);
}

typedef struct Loaded {
        Config *config;
        ErrorList errors, warnings;
        int r;
} Loaded;

static void loaded_done(Loaded *l) {
        config_free(l->config);
        error_list_done(&l->errors);
        error_list_done(&l->warnings);
}

static Loaded load_source(const ConfigSource *source) {
        Loaded l = {0};

        l.r = config_load(&l.config, source, &l.errors, &l.warnings);
        assert_int_equal(l.r, l.errors.n > 0 ? -EINVAL : 0);
        assert_true((l.config != NULL) == (l.r == 0));
        return l;
}

static Loaded load(bool system) {
        return load_source(&(ConfigSource){
                        .system = system,
                        .config_directory = directory,
                        .runtime_directory = "/run/user/1000",
                        .state_home = "/home/me/.local/state",
                        .owner = getuid(),
        });
}

/* Loads one file and wants no fault. */
static Loaded load_text(const char *text) {
        write_file("factord.conf", text);
        Loaded l = load(false);
        for (size_t i = 0; i < l.errors.n; i++)
                print_error("%s\n", l.errors.messages[i]);
        assert_int_equal(l.r, 0);
        return l;
}

static void test_defaults_system(void **state) {
        _cleanup_(loaded_done) Loaded l = load(true);
        const Config *c = l.config;

        assert_non_null(c);
        assert_true(c->system);
        assert_string_equal(c->socket, "/run/factord/factord.sock");
        assert_string_equal(c->state_directory, "/var/lib/factord");
        assert_string_equal(c->policy_directory, "/etc/factord/policy.d");
        assert_int_equal(c->bus, CONFIG_BUS_AUTO);
        assert_int_equal(c->default_decision, CONFIG_DEFAULT_ASK);
        assert_string_equal(c->group, "factord");
        assert_string_equal(c->base_url, "https://verify.twilio.com");
        assert_null(c->certificate_authority);
        assert_null(c->proxy);
        assert_int_equal(c->connect_timeout, 5 * USEC_PER_SEC);
        assert_int_equal(c->request_timeout, 15 * USEC_PER_SEC);
        assert_int_equal(c->max_concurrent_requests, 32);
        assert_int_equal(c->requests_per_second, 50);
        assert_int_equal(c->n_accounts, 0);
        assert_int_equal(c->poll_interval, 3 * USEC_PER_SEC);
        assert_int_equal(c->poll_idle_interval, 15 * USEC_PER_SEC);
        assert_string_equal(c->metadata[0], "os");
        assert_string_equal(c->metadata[1], "hostname");
        assert_string_equal(c->metadata[2], "kernel");
        assert_string_equal(c->metadata[3], "version");
        assert_null(c->metadata[4]);
        assert_int_equal(c->n_custom, 0);
        assert_int_equal(c->arm_delay, 500 * USEC_PER_MSEC);
        assert_int_equal(c->budget, 5);
        assert_int_equal(c->budget_span, 10 * USEC_PER_MINUTE);
        assert_false(c->show_while_locked);
        assert_null(c->helper);
        assert_int_equal(c->audit_retain, 400 * USEC_PER_DAY);
        assert_int_equal(c->audit_max_size, 256 * 1024 * 1024);
        assert_null(config_account(c, "main"));
}

static void test_defaults_user(void **state) {
        _cleanup_(loaded_done) Loaded l = load(false);
        char policy[128];

        snprintf(policy, sizeof(policy), "%s/policy.d", directory);
        assert_non_null(l.config);
        assert_false(l.config->system);
        assert_string_equal(l.config->socket, "/run/user/1000/factord/factord.sock");
        assert_string_equal(l.config->state_directory, "/home/me/.local/state/factord");
        assert_string_equal(l.config->policy_directory, policy);
        assert_int_equal(l.warnings.n, 0);
}

static void test_every_key(void **state) {
        _cleanup_(loaded_done) Loaded l =
                        load_text("# all of them\n"
                                  "[Daemon]\n"
                                  "Socket=/srv/factord.sock\n"
                                  "StateDirectory=/srv/state//\n"
                                  "Bus=session\n"
                                  "Default=ignore\n"
                                  "Group=root\n"
                                  "[Api]\n"
                                  "BaseUrl=http://127.0.0.1:8080/\n"
                                  "CertificateAuthority=/srv/ca.pem\n"
                                  "Proxy=socks5h://user:word@[::1]:1080\n"
                                  "ConnectTimeout=100ms\n"
                                  "RequestTimeout=1min 30s\n"
                                  "MaxConcurrentRequests=1024\n"
                                  "RequestsPerSecond=100000\n"
                                  "[Account main]\n"
                                  "AccountSid=" AC
                                  "\n"
                                  "User=" SK
                                  "\n"
                                  "PasswordFile=/srv/password\n"
                                  "[Account other]\n"
                                  "AccountSid=" AC2
                                  "\n"
                                  "PasswordCredential=twilio.other\n"
                                  "[Poll]\n"
                                  "Interval=250ms\n"
                                  "IdleInterval=2h\n"
                                  "[Device]\n"
                                  "Metadata=machine-type architecture\n"
                                  "Custom.site=Berlin, Mitte\n"
                                  "Custom.\"asset.no-1_2\"=7\n"
                                  "[Prompt]\n"
                                  "ArmDelay=2s\n"
                                  "Budget=1/1h\n"
                                  "WhileLocked=show\n"
                                  "Helper=/usr/bin/helper\n"
                                  "[Policy]\n"
                                  "Directory=/srv/policy.d/\n"
                                  "[Audit]\n"
                                  "Retain=1w\n"
                                  "MaxSize=2G\n");
        const Config *c = l.config;

        assert_string_equal(c->socket, "/srv/factord.sock");
        assert_string_equal(c->state_directory, "/srv/state");
        assert_int_equal(c->bus, CONFIG_BUS_SESSION);
        assert_int_equal(c->default_decision, CONFIG_DEFAULT_IGNORE);
        assert_string_equal(c->group, "root");
        assert_int_equal(c->gid, 0);
        assert_string_equal(c->base_url, "http://127.0.0.1:8080");
        assert_string_equal(c->certificate_authority, "/srv/ca.pem");
        assert_string_equal(c->proxy, "socks5h://user:word@[::1]:1080");
        assert_int_equal(c->connect_timeout, 100 * USEC_PER_MSEC);
        assert_int_equal(c->request_timeout, 90 * USEC_PER_SEC);
        assert_int_equal(c->max_concurrent_requests, 1024);
        assert_int_equal(c->requests_per_second, 100000);
        assert_int_equal(c->n_accounts, 2);
        assert_string_equal(config_account(c, "main")->account_sid, AC);
        assert_string_equal(config_account(c, "main")->user, SK);
        assert_string_equal(config_account(c, "main")->password_file, "/srv/password");
        assert_null(config_account(c, "main")->password_credential);
        assert_int_equal(config_account(c, "main")->line, 16);
        assert_string_equal(config_account(c, "other")->user, AC2);
        assert_string_equal(config_account(c, "other")->password_credential, "twilio.other");
        assert_int_equal(c->poll_interval, 250 * USEC_PER_MSEC);
        assert_int_equal(c->poll_idle_interval, 2 * USEC_PER_HOUR);
        assert_string_equal(c->metadata[0], "machine-type");
        assert_string_equal(c->metadata[1], "architecture");
        assert_null(c->metadata[2]);
        assert_int_equal(c->n_custom, 2);
        assert_string_equal(c->custom[0].key, "site");
        assert_string_equal(c->custom[0].value, "Berlin, Mitte");
        assert_string_equal(c->custom[1].key, "asset.no-1_2");
        assert_int_equal(c->arm_delay, 2 * USEC_PER_SEC);
        assert_int_equal(c->budget, 1);
        assert_int_equal(c->budget_span, USEC_PER_HOUR);
        assert_true(c->show_while_locked);
        assert_string_equal(c->helper, "/usr/bin/helper");
        assert_string_equal(c->policy_directory, "/srv/policy.d");
        assert_int_equal(c->audit_retain, 7 * USEC_PER_DAY);
        assert_int_equal(c->audit_max_size, 2ULL << 30);
        assert_int_equal(l.warnings.n, 0);
}

/* Each of these is fine, alone. */
static void test_accepted(void **state) {
        static const char *const texts[] = {
                        "",
                        "[Daemon]\n",
                        "[Prompt]\nArmDelay=0\n",
                        "[Prompt]\nArmDelay=0ms\n",
                        "[Prompt]\nArmDelay=100ms\n",
                        "[Poll]\nInterval=100ms\n",
                        "[Audit]\nMaxSize=4096\n",
                        "[Audit]\nMaxSize=4K\n",
                        "[Audit]\nRetain=36500d\n",
                        "[Api]\nProxy=http://proxy.example:3128\n",
                        "[Api]\nProxy=https://proxy.example/\n",
                        "[Api]\nProxy=HTTP://10.0.0.1:65535\n",
                        "[Api]\nBaseUrl=https://verify.example///\n",
                        "[Api]\nBaseUrl=http://localhost:1\n",
                        "[Api]\nBaseUrl=http://[::1]:1\n",
                        "[Device]\nMetadata=\nCustom.hostname=kiosk\n",
                        "[Device]\nCustom.x=\n",
                        "[Policy]\nDirectory=/\n",
                        "[Account a]\nAccountSid=" AC "\nUser=" AC2 "\nPasswordFile=/p\n",
                        "[Account 0.9_-Z]\nAccountSid=" AC
                        "\nPasswordCredential=p\nPasswordFile=\n",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                Loaded l = load_text(texts[i]);
                loaded_done(&l);
        }
}

static void test_empty_resets(void **state) {
        make_directory("factord.conf.d");
        write_file("factord.conf",
                        "[Daemon]\nSocket=/a\nStateDirectory=/b\nBus=none\nGroup=wheel\n"
                        "[Api]\nBaseUrl=https://a.example\nCertificateAuthority=/ca\n"
                        "Proxy=http://p:1\nConnectTimeout=1s\n"
                        "[Prompt]\nHelper=/h\nBudget=9/9s\nWhileLocked=show\n"
                        "[Policy]\nDirectory=/p\n[Audit]\nMaxSize=1M\n"
                        "[Device]\nMetadata=os\nCustom.a=1\nCustom.b=2\nCustom.c=3\n");
        write_file("factord.conf.d/10.conf",
                        "[Daemon]\nSocket=\nStateDirectory=\nBus=\nGroup=\n"
                        "[Api]\nBaseUrl=\nCertificateAuthority=\nProxy=\nConnectTimeout=\n"
                        "[Prompt]\nHelper=\nBudget=\nWhileLocked=\n"
                        "[Policy]\nDirectory=\n[Audit]\nMaxSize=\n"
                        "[Device]\nMetadata=\nCustom.a=\n");
        _cleanup_(loaded_done) Loaded l = load(true);
        const Config *c = l.config;

        assert_non_null(c);
        assert_string_equal(c->socket, "/run/factord/factord.sock");
        assert_string_equal(c->state_directory, "/var/lib/factord");
        assert_int_equal(c->bus, CONFIG_BUS_AUTO);
        assert_string_equal(c->group, "factord");
        assert_string_equal(c->base_url, "https://verify.twilio.com");
        assert_null(c->certificate_authority);
        assert_null(c->proxy);
        assert_int_equal(c->connect_timeout, 5 * USEC_PER_SEC);
        assert_null(c->helper);
        assert_int_equal(c->budget, 5);
        assert_int_equal(c->budget_span, 10 * USEC_PER_MINUTE);
        assert_false(c->show_while_locked);
        assert_string_equal(c->policy_directory, "/etc/factord/policy.d");
        assert_int_equal(c->audit_max_size, 256 * 1024 * 1024);
        /* An empty list of facts is a choice: none go out. */
        assert_null(c->metadata[0]);
        assert_int_equal(c->n_custom, 2);
        assert_string_equal(c->custom[0].key, "b");
        assert_string_equal(c->custom[1].key, "c");
}

static void test_drop_ins(void **state) {
        make_directory("factord.conf.d");
        write_file("factord.conf",
                        "[Poll]\nInterval=1s\nIdleInterval=10s\n[Device]\nCustom.a=1\nCustom.b=1\n"
                        "[Account main]\nAccountSid=" AC "\nPasswordFile=/old\n");
        write_file("factord.conf.d/20-b.conf", "[Poll]\nInterval=4s\n[Device]\nCustom.b=3\n");
        write_file("factord.conf.d/10-a.conf",
                        "[Poll]\nInterval=2s\nIdleInterval=20s\n[Device]\nCustom.b=2\nCustom.c=2\n"
                        "[Account main]\nUser=" SK "\nPasswordFile=\nPasswordCredential=new\n");
        write_file("factord.conf.d/.hidden.conf", "[Nonsense]\n");
        write_file("factord.conf.d/99.conf.bak", "[Nonsense]\n");
        write_file("factord.conf.d/.conf", "[Nonsense]\n");
        _cleanup_(loaded_done) Loaded l = load(false);
        const Config *c = l.config;

        assert_non_null(c);
        assert_int_equal(c->poll_interval, 4 * USEC_PER_SEC);
        assert_int_equal(c->poll_idle_interval, 20 * USEC_PER_SEC);
        assert_int_equal(c->n_custom, 3);
        assert_string_equal(c->custom[0].value, "1");
        assert_string_equal(c->custom[1].value, "3");
        assert_string_equal(c->custom[2].value, "2");
        assert_int_equal(c->n_accounts, 1);
        assert_string_equal(c->accounts[0].account_sid, AC);
        assert_string_equal(c->accounts[0].user, SK);
        assert_null(c->accounts[0].password_file);
        assert_string_equal(c->accounts[0].password_credential, "new");
        assert_non_null(strstr(c->accounts[0].path, "/factord.conf"));
}

#define ACCOUNT(keys) "[Account main]\n" keys
#define SID "AccountSid=" AC "\n"
#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN

/* A configuration with one fault: its line (0: it has none) and a part of the message. */
static const struct {
        const char *text;
        unsigned line;
        const char *part;
} faults[] = {
                /* Names. */
                {"[Deamon]\n", 1, "unknown section [Deamon]; did you mean [Daemon]?"},
                {"[daemon]\n", 1, "did you mean [Daemon]?"},
                {"[Acount main]\n", 1, "did you mean [Account NAME]?"},
                {"[account main]\n", 1, "did you mean [Account NAME]?"},
                {"[Accounts]\n", 1, "did you mean [Account NAME]?"},
                {"[Weather]\nRain=yes\n", 1,
                                "unknown section [Weather]; remove it, or use one of Daemon, Api, "
                                "Account NAME, Poll, Device, Prompt, Policy and Audit"},
                {"[Account]\n", 1, "the account has no name; write [Account NAME]"},
                {"[Account a b]\n" SID "PasswordFile=/p\n", 1, "'a b' is no name for an account"},
                {"[Account  a]\n" SID "PasswordFile=/p\n", 1, "' a' is no name for an account"},
                {"[Account -a]\n" SID "PasswordFile=/p\n", 1, "'-a' is no name for an account"},
                {"[Account " AC "]\n" SID "PasswordFile=/p\n", 1, "and not a SID"},
                {"[Account " FIFTY FIFTY "]\n", 1, "is no name for an account"},
                {"[Api]\nBaseURL=https://a\n", 2,
                                "unknown key 'BaseURL' in [Api]; did you mean BaseUrl?"},
                {"[Api]\n\n# x\nReqestTimeout=1s\n", 4, "did you mean RequestTimeout?"},
                {"[Api]\nPorxy=http://p\n", 2, "did you mean Proxy?"},
                {"[Daemon]\nBaseUrl=https://a\n", 2, "BaseUrl belongs in [Api]"},
                {"[Poll]\nPasswordFile=/x\n", 2, "PasswordFile belongs in [Account NAME]"},
                {"[Daemon]\nCustom.site=x\n", 2, "Custom.NAME=VALUE in [Device]"},
                {"[Device]\ncustom.site=x\n", 2, "Custom.NAME=VALUE in [Device]"},
                {"[Api]\nWeather=rain\n", 2, "unknown key 'Weather' in [Api]; remove it"},
                {"[Api]\n\"We\u202eather\"=rain\n", 2, "'We\\u{202e}ather'"},
                {ACCOUNT(SID "PasswordFile=/p\nPassword=hunter2\n"), 4,
                                "did you mean PasswordFile?"},
                {ACCOUNT(SID "PasswordFile=/p\nToken=hunter2\n"), 4,
                                "unknown key 'Token' in [Account]"},
                /* Syntax is the reader's, and comes through. */
                {"[Api\n", 1, ""},
                {"Proxy=http://p\n", 1, ""},
                {"[Api]\nProxy\n", 2, ""},
                {"[Api]\nProxy=http://p\nProxy=http://q\n", 3, ""},
                {"[Api]\n[Poll]\n[Api]\n", 3, ""},
                {"[Api]\nProxy=\xff\n", 2, ""},
                /* Paths. */
                {"[Daemon]\nSocket=factord.sock\n", 2,
                                "Socket=factord.sock: this is not an absolute"},
                {"[Daemon]\nSocket=/run/\n", 2, "this names a folder"},
                {"[Daemon]\nSocket=/" FIFTY FIFTY TEN "\n", 2,
                                "a socket's path has 107 bytes at most"},
                {"[Daemon]\nStateDirectory=~/x\n", 2, "this is not an absolute path"},
                {"[Daemon]\nStateDirectory=/a/../b\n", 2, "'.' or '..'"},
                {"[Daemon]\nStateDirectory=/a/.\n", 2, "'.' or '..'"},
                {"[Api]\nCertificateAuthority=ca.pem\n", 2, "this is not an absolute path"},
                {"[Prompt]\nHelper=zenity\n", 2, "this is not an absolute path"},
                {"[Policy]\nDirectory=policy.d\n", 2, "this is not an absolute path"},
                /* Words. */
                {"[Daemon]\nBus=dbus\n", 2,
                                "Bus=dbus: this word is not known here; write auto, system, "
                                "session or none"},
                {"[Daemon]\nBus=AUTO\n", 2, "Bus=AUTO"},
                {"[Daemon]\nDefault=approve\n", 2, "write ask or ignore"},
                {"[Daemon]\nDefault=deny\n", 2, "write ask or ignore"},
                {"[Daemon]\nGroup=a:b\n", 2, "this is not a group's name"},
                {"[Prompt]\nWhileLocked=yes\n", 2, "write hold or show"},
                {"[Device]\nMetadata=os hostnam\n", 2,
                                "'hostnam' is not known; did you mean 'hostname'?"},
                {"[Device]\nMetadata=os weather\n", 2, "others are written as Custom.NAME=VALUE"},
                {"[Device]\nMetadata=os kernel os\n", 2, "'os' is named twice"},
                /* URLs. */
                {"[Api]\nBaseUrl=http://verify.twilio.com\n", 2, "BaseUrl: "},
                {"[Api]\nBaseUrl=verify.twilio.com\n", 2, "BaseUrl: "},
                {"[Api]\nBaseUrl=https://u:hunter2@verify.twilio.com\n", 2, "BaseUrl: "},
                {"[Api]\nBaseUrl=/\n", 2, "BaseUrl: "},
                {"[Api]\nProxy=proxy.example:3128\n", 2, "this is not the URL of a proxy"},
                {"[Api]\nProxy=socks5://p:1\n", 2, "this is not the URL of a proxy"},
                {"[Api]\nProxy=http://\n", 2, "no host and port"},
                {"[Api]\nProxy=http://p:0\n", 2, "no host and port"},
                {"[Api]\nProxy=http://p:65536\n", 2, "no host and port"},
                {"[Api]\nProxy=http://p:\n", 2, "no host and port"},
                {"[Api]\nProxy=http://p/path\n", 2, "no host and port"},
                {"[Api]\nProxy=http://[::1\n", 2, "no host and port"},
                {"[Api]\nProxy=http://hunter2:hunter2@p q\n", 2, "no host and port"},
                /* Numbers and spans. */
                {"[Api]\nConnectTimeout=5\n", 2, "ConnectTimeout=5: this is not a span of time"},
                {"[Api]\nConnectTimeout=99999us\n", 2, "the span is too short"},
                {"[Api]\nConnectTimeout=99ms\n", 2, "the span is too short; write 100ms or more"},
                {"[Api]\nRequestTimeout=0s\n", 2, "the span is too short"},
                {"[Poll]\nInterval=-3s\n", 2, "this is not a span of time"},
                {"[Poll]\nInterval=3 s # x\n", 2, "this is not a span of time"},
                {"[Poll]\nIdleInterval=forever\n", 2, "this is not a span of time"},
                {"[Audit]\nRetain=36501d\n", 2, "the span is too long; write 36500d or less"},
                {"[Audit]\nRetain=99999999999999999999d\n", 2, "the span is too long"},
                {"[Prompt]\nArmDelay=50ms\n", 2, "the span is too short"},
                {"[Api]\nMaxConcurrentRequests=0\n", 2, "write a whole number from 1 to 1024"},
                {"[Api]\nMaxConcurrentRequests=1025\n", 2, "write a whole number from 1 to 1024"},
                {"[Api]\nMaxConcurrentRequests=+1\n", 2, "write a whole number from 1 to 1024"},
                {"[Api]\nRequestsPerSecond=100001\n", 2, "write a whole number from 1 to 100000"},
                {"[Api]\nRequestsPerSecond=1.5\n", 2, "write a whole number from 1 to 100000"},
                {"[Api]\nRequestsPerSecond=92233720368547758085\n", 2, "from 1 to 100000"},
                {"[Api]\nRequestsPerSecond=18446744073709551617\n", 2, "from 1 to 100000"},
                {"[Prompt]\nBudget=5\n", 2, "write NUMBER/SPAN, as in 5/10min"},
                {"[Prompt]\nBudget=0/1h\n", 2, "write NUMBER/SPAN"},
                {"[Prompt]\nBudget=/1h\n", 2, "write NUMBER/SPAN"},
                {"[Prompt]\nBudget=5/\n", 2, "this is not a span of time"},
                {"[Prompt]\nBudget=5/h\n", 2, "this is not a span of time"},
                {"[Prompt]\nBudget=100001/1h\n", 2, "write NUMBER/SPAN"},
                {"[Audit]\nMaxSize=256MB\n", 2, "as in 256M"},
                {"[Audit]\nMaxSize=M\n", 2, "as in 256M"},
                {"[Audit]\nMaxSize=3K\n", 2, "from 4K up"},
                {"[Audit]\nMaxSize=8589934592G\n", 2, "as in 256M"},
                /* Facts. */
                {"[Device]\nCustom.=x\n", 2, "this is not a name for a fact"},
                {"[Device]\nCustom.\"a b\"=x\n", 2, "Custom.a b: this is not a name for a fact"},
                {"[Device]\nCustom." FIFTY FIFTY "=x\n", 2, "this is not a name for a fact"},
                {"[Device]\nCustom.decision=x\n", 2, "choose another name"},
                {"[Device]\nMetadata=os\nCustom.os=x\n", 3, "Metadata= already has the fact 'os'"},
                {"[Device]\nCustom.version=x\n", 2, "Metadata= already has the fact 'version'"},
                /* Accounts. */
                {ACCOUNT("PasswordFile=/p\n"), 1, "account 'main' has no AccountSid"},
                {ACCOUNT(SID), 1, "account 'main' has no password"},
                {ACCOUNT(SID "PasswordFile=/p\nPasswordCredential=p\n"), 1, "keep one"},
                {ACCOUNT("AccountSid=" SK "\nPasswordFile=/p\n"), 2, "this is not an account SID"},
                {ACCOUNT("AccountSid=hunter2\nPasswordFile=/p\n"), 2, "this is not an account SID"},
                {ACCOUNT(SID "User=me\nPasswordFile=/p\n"), 3, "write AC or SK and 32"},
                {ACCOUNT(SID "PasswordFile=hunter2\n"), 3, "this is not an absolute path"},
                {ACCOUNT(SID "PasswordCredential=a/hunter2\n"), 3,
                                "not the name of a systemd credential"},
                {ACCOUNT(SID "PasswordCredential=..\n"), 3, "not the name of a systemd credential"},
};

static void check_message(const char *message, unsigned line, const char *part) {
        char place[128];

        snprintf(place, sizeof(place), "%s/factord.conf:%u: ", directory, line);
        if (strncmp(message, place, strlen(place)) != 0 || !strstr(message, part))
                fail_msg("'%s' is not '%s…%s'", message, place, part);
        assert_null(strstr(message, "hunter2"));
        assert_null(strchr(message, '\n'));
        assert_int_not_equal(message[strlen(message) - 1], '.');
}

static void test_faults(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(faults); i++) {
                write_file("factord.conf", faults[i].text);
                _cleanup_(loaded_done) Loaded l = load(false);

                if (l.errors.n != 1)
                        fail_msg("%zu faults in '%s'", l.errors.n, faults[i].text);
                check_message(l.errors.messages[0], faults[i].line, faults[i].part);
        }
}

/* All of them in one file: each is still reported, in order, where it stands. */
static void test_all_faults_at_once(void **state) {
        make_directory("factord.conf.d");
        write_file("factord.conf",
                        "[Daemon]\nBus=x\nSockte=/y\n[Nope]\nA=b\n[Api]\nConnectTimeout=1\n"
                        "[Account a]\nUser=z\n");
        write_file("factord.conf.d/a.conf", "[Poll]\nInterval=1\n");
        write_file("factord.conf.d/b.conf", "[Poll]\nInterval=2s\nnonsense\n");
        _cleanup_(loaded_done) Loaded l = load(false);
        static const char *const parts[] = {
                        "/b.conf:3: ",
                        "/factord.conf:2: Bus=x",
                        "/factord.conf:3: unknown key 'Sockte' in [Daemon]; did you mean Socket?",
                        "/factord.conf:4: unknown section [Nope]",
                        "/factord.conf:7: ConnectTimeout=1",
                        "/factord.conf:9: User: ",
                        "/a.conf:2: Interval=1",
                        "/factord.conf:8: account 'a' has no AccountSid",
                        "/factord.conf:8: account 'a' has no password",
        };

        assert_int_equal(l.errors.n, ELEMENTSOF(parts));
        for (size_t i = 0; i < ELEMENTSOF(parts); i++)
                if (!strstr(l.errors.messages[i], parts[i]))
                        fail_msg("'%s' is not '%s'", l.errors.messages[i], parts[i]);
}

/* A message stays short and in one piece whatever the file holds. */
static void test_long_values(void **state) {
        char text[600] = "[Daemon]\nBus=x";

        for (size_t i = 0; i < 200; i++)
                strcat(text, "é");
        strcat(text, "\n");
        write_file("factord.conf", text);
        _cleanup_(loaded_done) Loaded l = load(false);

        assert_int_equal(l.errors.n, 1);
        assert_true(strlen(l.errors.messages[0]) < 300);
        assert_true(utf8_valid(l.errors.messages[0], strlen(l.errors.messages[0])));
        assert_non_null(strstr(l.errors.messages[0], "é…: "));
}

static void test_limits(void **state) {
        size_t size = 64 * 1024;
        _cleanup_free_ char *text = malloc(size);
        assert_non_null(text);

        size_t n = (size_t) sprintf(text, "[Device]\n");
        for (int i = 0; i <= CONFIG_CUSTOM_MAX; i++)
                n += (size_t) sprintf(text + n, "Custom.k%d=v\n", i);
        write_file("factord.conf", text);
        _cleanup_(loaded_done) Loaded many_facts = load(false);
        assert_int_equal(many_facts.errors.n, 1);
        check_message(many_facts.errors.messages[0], CONFIG_CUSTOM_MAX + 2,
                        "there are 32 facts already");

        n = 0;
        for (int i = 0; i <= CONFIG_ACCOUNTS_MAX; i++)
                n += (size_t) sprintf(text + n, "[Account a%d]\n" SID "PasswordCredential=p\n", i);
        write_file("factord.conf", text);
        _cleanup_(loaded_done) Loaded many_accounts = load(false);
        assert_int_equal(many_accounts.errors.n, 1);
        check_message(many_accounts.errors.messages[0], 3 * CONFIG_ACCOUNTS_MAX + 1,
                        "there are 256 accounts already");

        n = (size_t) sprintf(text, "[Device]\nCustom.long=");
        memset(text + n, 'x', 1025);
        strcpy(text + n + 1025, "\n");
        write_file("factord.conf", text);
        _cleanup_(loaded_done) Loaded long_fact = load(false);
        assert_int_equal(long_fact.errors.n, 1);
        check_message(long_fact.errors.messages[0], 2, "1024 characters or less");
}

static void test_named_file(void **state) {
        char path[128];

        snprintf(path, sizeof(path), "%s/mine.conf", directory);
        write_file("factord.conf", "[Nonsense]\n");
        write_file("mine.conf", "[Poll]\nInterval=7s\n");
        ConfigSource source = {.system = true, .path = path, .owner = getuid()};
        _cleanup_(loaded_done) Loaded l = load_source(&source);
        assert_non_null(l.config);
        assert_int_equal(l.config->poll_interval, 7 * USEC_PER_SEC);

        strcat(path, "x");
        _cleanup_(loaded_done) Loaded missing = load_source(&source);
        assert_int_equal(missing.errors.n, 1);
        assert_non_null(strstr(missing.errors.messages[0], "there is no such file"));
}

static void test_untrusted_file(void **state) {
        char link_path[128];

        write_bytes("factord.conf", "[Poll]\n", 7, 0664);
        _cleanup_(loaded_done) Loaded writable = load(false);
        assert_int_equal(writable.errors.n, 1);
        assert_non_null(strstr(writable.errors.messages[0], "chmod"));

        write_file("real", "[Poll]\n");
        snprintf(link_path, sizeof(link_path), "%s/factord.conf", directory);
        assert_int_equal(unlink(link_path), 0);
        assert_int_equal(symlink("real", link_path), 0);
        _cleanup_(loaded_done) Loaded linked = load(false);
        assert_int_equal(linked.errors.n, 1);
        assert_non_null(strstr(linked.errors.messages[0], "factord.conf"));
}

static void test_file_too_long(void **state) {
        size_t len = 1024 * 1024 + 1;
        _cleanup_free_ char *text = malloc(len);

        assert_non_null(text);
        memset(text, '\n', len);
        write_bytes("factord.conf", text, len - 1, 0644);
        _cleanup_(loaded_done) Loaded fits = load(false);
        assert_int_equal(fits.r, 0);
        write_bytes("factord.conf", text, len, 0644);
        _cleanup_(loaded_done) Loaded over = load(false);
        assert_int_equal(over.errors.n, 1);
        assert_non_null(strstr(over.errors.messages[0], "split it"));
}

static void test_drop_ins_not_a_folder(void **state) {
        write_file("factord.conf.d", "");
        _cleanup_(loaded_done) Loaded l = load(false);

        assert_int_equal(l.errors.n, 1);
        assert_non_null(strstr(l.errors.messages[0], "factord.conf.d: cannot list the folder"));
}

static void test_environment(void **state) {
        ConfigSource source = {.config_directory = directory, .owner = getuid()};

        _cleanup_(loaded_done) Loaded bare = load_source(&source);
        assert_int_equal(bare.errors.n, 2);
        assert_non_null(strstr(bare.errors.messages[0], "XDG_RUNTIME_DIR"));
        assert_non_null(strstr(bare.errors.messages[0], "Socket="));
        assert_non_null(strstr(bare.errors.messages[1], "XDG_STATE_HOME"));

        write_file("factord.conf", "[Daemon]\nSocket=/s\nStateDirectory=/d\n");
        _cleanup_(loaded_done) Loaded set = load_source(&source);
        assert_int_equal(set.r, 0);

        write_file("factord.conf", "[Daemon]\nStateDirectory=/d\n");
        source.runtime_directory = "/" FIFTY FIFTY;
        _cleanup_(loaded_done) Loaded deep = load_source(&source);
        assert_int_equal(deep.errors.n, 1);
        assert_non_null(strstr(deep.errors.messages[0], "too long for a socket"));

        source.runtime_directory = "relative";
        _cleanup_(loaded_done) Loaded relative = load_source(&source);
        assert_int_equal(relative.errors.n, 1);
}

static void test_warnings(void **state) {
        make_directory("factord.conf.d");
        write_file("factord.conf", "[Daemon]\nGroup=no-such-group-here\n");
        _cleanup_(loaded_done) Loaded l = load(false);
        assert_int_equal(l.r, 0);
        assert_int_equal(l.config->gid, (gid_t) -1);
        assert_int_equal(l.warnings.n, 1);
        check_message(l.warnings.messages[0], 2,
                        "Group=no-such-group-here: there is no such group");

        /* Only what is in force counts. */
        write_file("factord.conf.d/a.conf", "[Daemon]\nGroup=root\n");
        _cleanup_(loaded_done) Loaded corrected = load(false);
        assert_int_equal(corrected.warnings.n, 0);
        assert_int_equal(corrected.config->gid, 0);

        write_file("factord.conf.d/a.conf", "[Daemon]\nGroup=\n[Poll]\nInterval=1min\n");
        _cleanup_(loaded_done) Loaded slow = load(false);
        assert_int_equal(slow.warnings.n, 1);
        assert_non_null(strstr(slow.warnings.messages[0], "a.conf:4: IdleInterval"));
}

/* Passwords. */

typedef struct Password {
        const char *text;
        mode_t mode;
        const char *part; /* of the fault; NULL: none */
} Password;

static void check_password(const char *key, const Password *p) {
        _cleanup_(error_list_done) ErrorList errors = {0};
        char conf[512];

        snprintf(conf, sizeof(conf), ACCOUNT(SID) "%s\n", key);
        _cleanup_(loaded_done) Loaded l = load_text(conf);
        int r = config_load_passwords(l.config, directory, getuid(), &errors);
        if (!p->part) {
                assert_int_equal(r, 0);
                assert_int_equal(errors.n, 0);
                assert_string_equal(secret_string(&l.config->accounts[0].password), "hunter2");
                return;
        }
        assert_int_equal(r, -EINVAL);
        assert_int_equal(errors.n, 1);
        check_message(errors.messages[0], 1, p->part);
        assert_non_null(strstr(errors.messages[0], "account 'main': "));
}

static void test_passwords(void **state) {
        static const Password passwords[] = {
                        {"hunter2", 0600, NULL},
                        {"hunter2\n", 0400, NULL},
                        {"hunter2\r\n", 0600, NULL},
                        {"hunter2\n\n", 0600, "has a line break"},
                        {"hunter2\thunter2", 0600, "has a line break or a control character"},
                        {"", 0600, "the password is empty"},
                        {"\n", 0600, "the password is empty"},
                        {"hunter2", 0666, "chmod"},
        };
        char key[256];

        snprintf(key, sizeof(key), "PasswordFile=%s/password", directory);
        for (size_t i = 0; i < ELEMENTSOF(passwords); i++) {
                const Password *p = &passwords[i];

                write_bytes("password", p->text, strlen(p->text), p->mode);
                check_password(key, p);
                check_password("PasswordCredential=password", p);
        }

        /* Only a file of one's own has to be private. */
        write_bytes("password", "hunter2", 7, 0440);
        check_password(key, &(Password){.part = "chmod"});
        check_password("PasswordCredential=password", &(Password){.part = NULL});
        check_password("PasswordCredential=other", &(Password){.part = "there is no such file"});
        check_password("PasswordFile=/nonexistent/x", &(Password){.part = "/nonexistent"});
}

static void test_password_limits(void **state) {
        char text[CONFIG_PASSWORD_MAX + 4];
        _cleanup_(error_list_done) ErrorList errors = {0};
        _cleanup_(loaded_done) Loaded l = load_text(ACCOUNT(SID "PasswordCredential=password\n"));

        memset(text, 'x', sizeof(text));
        text[CONFIG_PASSWORD_MAX] = '\r';
        text[CONFIG_PASSWORD_MAX + 1] = '\n';
        write_bytes("password", text, CONFIG_PASSWORD_MAX + 2, 0600);
        assert_int_equal(config_load_passwords(l.config, directory, getuid(), &errors), 0);
        assert_int_equal(l.config->accounts[0].password.len, CONFIG_PASSWORD_MAX);

        text[CONFIG_PASSWORD_MAX] = 'x';
        write_bytes("password", text, CONFIG_PASSWORD_MAX + 1, 0600);
        assert_int_equal(config_load_passwords(l.config, directory, getuid(), &errors), -EINVAL);
        write_bytes("password", text, sizeof(text), 0600);
        assert_int_equal(config_load_passwords(l.config, directory, getuid(), &errors), -EINVAL);
        assert_int_equal(config_load_passwords(l.config, NULL, getuid(), &errors), -EINVAL);
        assert_int_equal(errors.n, 3);
        assert_non_null(strstr(errors.messages[0], "over 1024 bytes"));
        assert_non_null(strstr(errors.messages[1], "too long for a password"));
        assert_non_null(strstr(errors.messages[2], "no credentials were passed"));
}

static void test_nearest(void **state) {
        static const char *const words[] = {"Interval", "IdleInterval", "Proxy", "User"};
        char long_word[200];

        memset(long_word, 'x', sizeof(long_word));
        long_word[sizeof(long_word) - 1] = '\0';
        assert_string_equal(nearest_word("interval", words, 4), "Interval");
        assert_string_equal(nearest_word("Intervall", words, 4), "Interval");
        assert_string_equal(nearest_word("Itnerval", words, 4), "Interval");
        assert_string_equal(nearest_word("IdelInterval", words, 4), "IdleInterval");
        assert_string_equal(nearest_word("Prox", words, 4), "Proxy");
        assert_string_equal(nearest_word("UserName", words, 4), "User");
        assert_null(nearest_word("Use2r4", words, 4));
        assert_null(nearest_word("", words, 4));
        assert_null(nearest_word(long_word, words, 4));
        assert_null(nearest_word("Proxy", words, 0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                        TEST(test_defaults_system),
                        TEST(test_defaults_user),
                        TEST(test_every_key),
                        TEST(test_accepted),
                        TEST(test_empty_resets),
                        TEST(test_drop_ins),
                        TEST(test_faults),
                        TEST(test_all_faults_at_once),
                        TEST(test_long_values),
                        TEST(test_limits),
                        TEST(test_named_file),
                        TEST(test_untrusted_file),
                        TEST(test_file_too_long),
                        TEST(test_drop_ins_not_a_folder),
                        TEST(test_environment),
                        TEST(test_warnings),
                        TEST(test_passwords),
                        TEST(test_password_limits),
                        cmocka_unit_test(test_nearest),
        };

        (void) umask(022);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
