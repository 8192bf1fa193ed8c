/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/http-transfer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "verify/http-tls.h"
#include "verify/reply.h"

/* All header lines of a transfer together. */
#define HEADERS_MAX ((size_t) 64 * 1024)
/* Seconds for which libcurl keeps the authorities that it has read. A day by default: too long for
 * one who has just installed the right ones. */
#define AUTHORITY_CACHE_TIMEOUT 60L

struct Transfer {
        const TransferOptions *options;
        CURL *handle;
        Secret request;
        size_t request_read; /* how much of it libcurl was given */
        Secret reply;
        size_t headers;
        bool too_large;
        bool not_loopback;
        char error[CURL_ERROR_SIZE];
};

/* ---- what libcurl calls ---- */

static size_t on_read(char *buffer, size_t size, size_t n, void *userdata) {
        Transfer *t = userdata;
        size_t left = t->request.len - t->request_read;
        size_t len = size * n < left ? size * n : left;

        if (len > 0)
                memcpy(buffer, t->request.data + t->request_read, len);
        t->request_read += len;
        return len;
}

/* The body is handed out once. Without this libcurl would send a POST again by itself when a kept
 * connection is cut, and the server would apply it twice. */
static int on_seek(void *userdata, curl_off_t offset, int origin) {
        return CURL_SEEKFUNC_FAIL;
}

static size_t on_write(char *data, size_t size, size_t n, void *userdata) {
        Transfer *t = userdata;
        size_t len = size * n;

        if (len > VERIFY_REPLY_MAX - t->reply.len) {
                t->too_large = true;
                return 0;
        }
        return secret_append(&t->reply, data, len) < 0 ? 0 : len;
}

static size_t on_header(char *data, size_t size, size_t n, void *userdata) {
        Transfer *t = userdata;

        t->headers += size * n;
        if (t->headers <= HEADERS_MAX)
                return size * n;
        t->too_large = true;
        return 0;
}

static bool address_is_loopback(const struct curl_sockaddr *a) {
        if (a->family == AF_INET) {
                struct sockaddr_in in;
                memcpy(&in, &a->addr, sizeof(in));
                return ntohl(in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
        }
        if (a->family == AF_INET6 && a->addrlen >= sizeof(struct sockaddr_in6)) {
                struct sockaddr_in6 in6;
                memcpy(&in6, &a->addr, sizeof(in6));
                return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
        }
        return false;
}

/* Makes the socket here to keep it from programs that are started later, and to see the address
 * that a name stands for before anything is sent in the clear. */
static curl_socket_t on_open_socket(void *userdata, curlsocktype purpose, struct curl_sockaddr *a) {
        Transfer *t = userdata;

        if (!t->options->tls && !address_is_loopback(a)) {
                t->not_loopback = true;
                return CURL_SOCKET_BAD;
        }
        return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* ---- options ---- */

static int options_check(const HttpOptions *o, char **reterr_msg) {
        int r = http_check_base_url(o->base_url, reterr_msg);
        if (r < 0)
                return r;
        if (o->certificate_authority) {
                r = http_check_authority(o->certificate_authority, reterr_msg);
                if (r < 0)
                        return r;
        }
        if (o->connect_timeout == 0 || o->connect_timeout > USEC_PER_DAY)
                return error_set(reterr_msg, -EINVAL,
                                "ConnectTimeout must be above 0, a day at most");
        if (o->request_timeout == 0 || o->request_timeout > USEC_PER_DAY)
                return error_set(reterr_msg, -EINVAL,
                                "RequestTimeout must be above 0, a day at most");
        if (o->stall_timeout == 0 || o->stall_timeout > USEC_PER_DAY)
                return error_set(reterr_msg, -EINVAL,
                                "the stall time-out must be above 0, a day at most");
        if (o->max_connections == 0)
                return error_set(reterr_msg, -EINVAL, "MaxConcurrentRequests must be above 0");
        return 0;
}

/* Rounded up: 0 would mean no limit to libcurl. */
static long units_from(usec_t t, usec_t unit) {
        return (long) ((t + unit - 1) / unit);
}

static int headers_add(struct curl_slist **list, const char *line) {
        struct curl_slist *longer = curl_slist_append(*list, line);
        if (!longer)
                return -ENOMEM;
        *list = longer;
        return 0;
}

/* The proxy without its user and password, for messages. */
static int proxy_name(const char *proxy, char **ret) {
        const char *scheme_end = strstr(proxy, "://");
        const char *authority = scheme_end ? scheme_end + STRLEN("://") : proxy;
        const char *at = strrchr(authority, '@');
        int scheme_len = (int) (authority - proxy);

        if (asprintf(ret, "%.*s%s", scheme_len, proxy, at ? at + 1 : authority) < 0) {
                *ret = NULL;
                return -ENOMEM;
        }
        return 0;
}

int transfer_options_init(TransferOptions *ret, const HttpOptions *o, char **reterr_msg) {
        size_t len;
        int r;

        r = options_check(o, reterr_msg);
        if (r < 0)
                return r;
        ret->connect_timeout = units_from(o->connect_timeout, USEC_PER_MSEC);
        ret->request_timeout = units_from(o->request_timeout, USEC_PER_MSEC);
        ret->stall_timeout = units_from(o->stall_timeout, USEC_PER_SEC);
        ret->tls = strncmp(o->base_url, "https:", STRLEN("https:")) == 0;
        if (text_set(&ret->base_url, o->base_url) < 0 ||
                        text_set(&ret->certificate_authority, o->certificate_authority) < 0 ||
                        text_set(&ret->user_agent, o->user_agent) < 0)
                return -ENOMEM;
        /* A loopback server in the clear is never asked through a proxy. */
        if (ret->tls && o->proxy && o->proxy[0] &&
                        (text_set(&ret->proxy, o->proxy) < 0 ||
                                        proxy_name(o->proxy, &ret->proxy_name) < 0))
                return -ENOMEM;
        len = strlen(ret->base_url);
        if (ret->base_url[len - 1] == '/')
                ret->base_url[len - 1] = '\0';
        /* Expect would cost a round trip; libcurl would add it to a large body. */
        if (headers_add(&ret->headers, "Accept: application/json") < 0 ||
                        headers_add(&ret->headers_post, "Accept: application/json") < 0 ||
                        headers_add(&ret->headers_post,
                                        "Content-Type: application/x-www-form-urlencoded") < 0 ||
                        headers_add(&ret->headers_post, "Expect:") < 0)
                return -ENOMEM;
        return 0;
}

void transfer_options_done(TransferOptions *o) {
        curl_slist_free_all(o->headers);
        curl_slist_free_all(o->headers_post);
        free(o->base_url);
        free(o->certificate_authority);
        free(o->proxy);
        free(o->proxy_name);
        free(o->user_agent);
        *o = (TransferOptions){0};
}

/* ---- a request ---- */

#define SET(option, value) (curl_easy_setopt(t->handle, CURLOPT_##option, value) == CURLE_OK)

static bool set_method(Transfer *t, VerifyMethod method) {
        const TransferOptions *o = t->options;

        switch (method) {
        case VERIFY_GET:
                return SET(HTTPHEADER, o->headers);
        case VERIFY_DELETE:
                return SET(HTTPHEADER, o->headers) && SET(CUSTOMREQUEST, "DELETE");
        case VERIFY_POST:
                return SET(HTTPHEADER, o->headers_post) && SET(POST, 1L) &&
                       SET(POSTFIELDSIZE_LARGE, (curl_off_t) t->request.len) &&
                       SET(READFUNCTION, on_read) && SET(READDATA, t) && SET(SEEKFUNCTION, on_seek);
        }
        return false;
}

static bool set_connection(Transfer *t) {
        const TransferOptions *o = t->options;

        /* An authority of one's own replaces the system's, and does not stand beside them. */
        if (o->certificate_authority &&
                        !(SET(CAINFO, o->certificate_authority) && SET(CAPATH, NULL)))
                return false;
        /* "" and not NULL: NULL has libcurl ask the environment. */
        return SET(PROTOCOLS_STR, o->tls ? "https" : "http") && SET(FOLLOWLOCATION, 0L) &&
               SET(SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2) && SET(SSL_VERIFYPEER, 1L) &&
               SET(SSL_VERIFYHOST, 2L) && SET(CA_CACHE_TIMEOUT, AUTHORITY_CACHE_TIMEOUT) &&
               SET(HTTP_VERSION, (long) CURL_HTTP_VERSION_2TLS) &&
               SET(PIPEWAIT, o->tls ? 1L : 0L) && SET(PROXY, strempty(o->proxy)) &&
               SET(NOPROXY, "") && SET(SUPPRESS_CONNECT_HEADERS, 1L) &&
               SET(NETRC, (long) CURL_NETRC_IGNORED) && SET(NOSIGNAL, 1L) && SET(QUICK_EXIT, 1L) &&
               SET(OPENSOCKETFUNCTION, on_open_socket) && SET(OPENSOCKETDATA, t) &&
               SET(CONNECTTIMEOUT_MS, o->connect_timeout) && SET(TIMEOUT_MS, o->request_timeout) &&
               SET(LOW_SPEED_LIMIT, 1L) && SET(LOW_SPEED_TIME, o->stall_timeout);
}

static bool set_exchange(Transfer *t, const HttpCredential *credential) {
        const TransferOptions *o = t->options;

        return SET(USERAGENT, o->user_agent) && SET(PATH_AS_IS, 1L) &&
               SET(HTTPAUTH, (long) CURLAUTH_BASIC) && SET(USERNAME, credential->user) &&
               SET(PASSWORD, secret_string(credential->password)) &&
               SET(HEADERFUNCTION, on_header) && SET(HEADERDATA, t) &&
               SET(WRITEFUNCTION, on_write) && SET(WRITEDATA, t) && SET(ERRORBUFFER, t->error);
}

int transfer_new(Transfer **ret,
                const TransferOptions *options,
                const VerifyRequest *request,
                const HttpCredential *credential,
                void *owner) {
        _cleanup_(transfer_freep) Transfer *t = calloc(1, sizeof(*t));
        _cleanup_free_ char *url = NULL;

        if (!t)
                return -ENOMEM;
        t->options = options;
        t->handle = curl_easy_init();
        if (!t->handle || asprintf(&url, "%s%s", options->base_url, request->path) < 0)
                return -ENOMEM;
        if (secret_copy(&t->request, &request->body) < 0)
                return -ENOMEM;
        if (!SET(URL, url) || !SET(PRIVATE, owner) || !set_connection(t) ||
                        !set_exchange(t, credential) || !set_method(t, request->method))
                return -ENOMEM;
        *ret = TAKE_PTR(t);
        return 0;
}

int transfer_limit_reuse(Transfer *t, usec_t age, bool fresh) {
        long seconds = age > USEC_PER_SEC ? (long) (age / USEC_PER_SEC) : 1;

        return SET(MAXLIFETIME_CONN, seconds) && SET(FRESH_CONNECT, fresh ? 1L : 0L) ? 0 : -ENOMEM;
}

Transfer *transfer_free(Transfer *t) {
        if (!t)
                return NULL;
        curl_easy_cleanup(t->handle);
        secret_done(&t->request);
        secret_done(&t->reply);
        free(t);
        return NULL;
}

CURL *transfer_handle(const Transfer *t) {
        return t->handle;
}

void *transfer_owner(CURL *handle) {
        void *owner = NULL;

        (void) curl_easy_getinfo(handle, CURLINFO_PRIVATE, (char **) &owner);
        return owner;
}

/* ---- what came of a transfer ---- */

/* The proxy's own answer to CONNECT, when it was not yes; else 0. */
static long proxy_refusal(const Transfer *t) {
        long status = 0;

        (void) curl_easy_getinfo(t->handle, CURLINFO_HTTP_CONNECTCODE, &status);
        return status / 100 == 2 ? 0 : status;
}

static const char *connect_detail(const Transfer *t, CURLcode code, const char *detail) {
        long os_error = 0;

        (void) curl_easy_getinfo(t->handle, CURLINFO_OS_ERRNO, &os_error);
        return code == CURLE_COULDNT_CONNECT && os_error > 0 ? strerror((int) os_error) : detail;
}

/* One sentence for a person; detail is libcurl's own word. */
static char *describe(const Transfer *t, CURLcode code) {
        const TransferOptions *o = t->options;
        const char *detail = t->error[0] ? t->error : curl_easy_strerror(code);
        const char *what = "cannot finish the exchange with", *hint = "";
        char *text = NULL;
        int len;

        if (t->too_large)
                detail = "the reply is too large";
        else if (t->not_loopback)
                detail = "http:// is for loopback addresses only, and this is none; use https://";
        else if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
                        code == CURLE_COULDNT_RESOLVE_PROXY) {
                what = "cannot connect to";
                detail = connect_detail(t, code, detail);
        } else if (proxy_refusal(t) > 0) {
                what = "cannot connect to";
                if (proxy_refusal(t) == 407)
                        hint = "; it wants a user and a password, or others than it was given: "
                               "[Api] Proxy=http://USER:PASSWORD@HOST:PORT";
        } else if (tls_is_cause(code)) {
                what = "no trusted connection to";
                hint = tls_hint(t->handle, code);
        } else if (code == CURLE_OPERATION_TIMEDOUT)
                what = "no reply in time from";
        else if (code == CURLE_SEND_FAIL_REWIND)
                detail = "the connection was cut before the reply";
        for (len = (int) strlen(detail); len > 0 && detail[len - 1] == ' '; len--)
                ;
        (void) error_set(&text, -EIO, "%s %s%s%s: %.*s%s", what, o->base_url,
                        o->proxy_name ? " through the proxy " : "", strempty(o->proxy_name), len,
                        detail, hint);
        return text;
}

/* Whether anything reached the wire that the server may have acted upon: a POST's body, or else any
 * byte of the request. It goes by what was handed out, not by the kind of error, so that an error
 * after a second try of libcurl's is judged right. */
static bool transfer_was_sent(const Transfer *t) {
        long bytes = 0;

        if (t->request.len > 0)
                return t->request_read > 0;
        if (proxy_refusal(t) > 0)
                return false; /* the bytes are those of CONNECT */
        (void) curl_easy_getinfo(t->handle, CURLINFO_REQUEST_SIZE, &bytes);
        return bytes > 0;
}

/* A header of the final reply. One that came twice is ambiguous: repeated is given for it. */
static const char *header(const Transfer *t, const char *name, const char *repeated) {
        struct curl_header *h;

        if (curl_easy_header(t->handle, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
                return NULL;
        return h->amount > 1 ? repeated : h->value;
}

void transfer_reply(const Transfer *t,
                CURLcode code,
                usec_t started,
                usec_t now,
                HttpReply *ret,
                char **ret_error) {
        curl_off_t until_sent = 0;
        usec_t sent;
        long status = 0;

        (void) curl_easy_getinfo(t->handle, CURLINFO_RESPONSE_CODE, &status);
        (void) curl_easy_getinfo(t->handle, CURLINFO_PRETRANSFER_TIME_T, &until_sent);
        sent = usec_add(started, (usec_t) until_sent);
        *ret = (HttpReply){
                        .outcome = code == CURLE_OK && status >= 200 ? HTTP_REPLIED
                                   : transfer_was_sent(t)            ? HTTP_UNKNOWN
                                                                     : HTTP_NOT_SENT,
                        .status = (int) status,
                        .body = secret_string(&t->reply),
                        .len = t->reply.len,
                        .too_large = t->too_large,
                        .date = header(t, "Date", NULL),
                        .retry_after = header(t, "Retry-After", NULL),
                        .signature_fields = header(t, "Twilio-Verify-Signature-Fields", ","),
                        .has_age = header(t, "Age", "") != NULL,
                        .sent = sent < now ? sent : now,
                        .received = now,
        };
        *ret_error = ret->outcome == HTTP_REPLIED ? NULL : describe(t, code);
        if (ret->outcome != HTTP_REPLIED)
                ret->error = *ret_error ? *ret_error : "out of memory";
}
