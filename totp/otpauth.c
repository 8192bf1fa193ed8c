/* SPDX-License-Identifier: Apache-2.0 */
#include "totp/otpauth.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/percent.h"
#include "base/text.h"
#include "totp/base32.h"
#include "totp/otpauth-text.h"

#define DIGITS_DEFAULT 6
#define PERIOD_DEFAULT 30

typedef enum Parameter {
        PARAMETER_SECRET,
        PARAMETER_ISSUER,
        PARAMETER_ALGORITHM,
        PARAMETER_DIGITS,
        PARAMETER_PERIOD,
        PARAMETER_COUNTER,
        _PARAMETER_MAX,
} Parameter;

static const char *const parameter_names[_PARAMETER_MAX] = {
                [PARAMETER_SECRET] = "secret",
                [PARAMETER_ISSUER] = "issuer",
                [PARAMETER_ALGORITHM] = "algorithm",
                [PARAMETER_DIGITS] = "digits",
                [PARAMETER_PERIOD] = "period",
                [PARAMETER_COUNTER] = "counter",
};

/* The parameters of a query, decoded. */
typedef struct Query {
        Secret values[_PARAMETER_MAX];
        bool present[_PARAMETER_MAX];
} Query;

static void query_done(Query *q) {
        for (size_t i = 0; i < _PARAMETER_MAX; i++)
                secret_done(&q->values[i]);
}

void otp_account_done(OtpAccount *a) {
        if (!a)
                return;
        free(a->issuer);
        free(a->account);
        secret_done(&a->secret);
        *a = (OtpAccount){0};
}

bool otpauth_has_prefix(const char *text, size_t len, const char *prefix) {
        size_t n = strlen(prefix);

        return len >= n && strncasecmp(text, prefix, n) == 0;
}

static bool has_control(const char *text) {
        for (; *text; text++)
                if ((unsigned char) *text < 0x20 || *text == 0x7f)
                        return true;
        return false;
}

int otpauth_percent_decode(const char *text, size_t len, bool plus, Secret *ret) {
        _cleanup_(secret_done) Secret decoded = {0};
        int r;

        r = percent_decode(text, len, plus, &decoded);
        if (r == -EBADMSG)
                return -EINVAL;
        if (r < 0)
                return r;
        if (has_control(secret_string(&decoded)))
                return -EINVAL;
        secret_move(ret, &decoded);
        return 0;
}

int otpauth_set_names(OtpAccount *a, const char *issuer, const char *prefix, const char *account) {
        _cleanup_free_ char *issuer_copy = NULL, *account_copy = NULL;
        const char *name;

        prefix = strempty(prefix);
        name = strempty(issuer);
        if (*name && *prefix && strcasecmp(name, prefix) != 0)
                return -EINVAL;
        if (!*name)
                name = prefix;
        if (*name) {
                issuer_copy = strdup(name);
                if (!issuer_copy)
                        return -ENOMEM;
        }
        account_copy = strdup(account + strspn(account, " "));
        if (!account_copy)
                return -ENOMEM;
        a->issuer = TAKE_PTR(issuer_copy);
        a->account = TAKE_PTR(account_copy);
        return 0;
}

/* The parameter of that name in any case, or _PARAMETER_MAX. */
static Parameter parameter_from_name(const char *name) {
        Parameter p;

        for (p = 0; p < _PARAMETER_MAX; p++)
                if (strcasecmp(name, parameter_names[p]) == 0)
                        break;
        return p;
}

/* Reads "name=value", or a name alone, whose value is empty. */
static int query_add(Query *q, const char *text, size_t len, char **reterr_msg) {
        _cleanup_(secret_done) Secret name = {0};
        const char *equals = memchr(text, '=', len);
        size_t name_len = equals ? (size_t) (equals - text) : len;
        const char *value = equals ? equals + 1 : text + len;
        Parameter p;
        int r;

        r = otpauth_percent_decode(text, name_len, true, &name);
        if (r == -EINVAL)
                return error_set(reterr_msg, r, "a parameter's name in the URI is badly encoded");
        if (r < 0)
                return r;
        p = parameter_from_name(secret_string(&name));
        if (p == _PARAMETER_MAX)
                return 0;
        if (q->present[p])
                return error_set(reterr_msg, -EINVAL, "the URI has the parameter '%s' twice",
                                parameter_names[p]);
        r = otpauth_percent_decode(value, (size_t) (text + len - value), true, &q->values[p]);
        if (r == -EINVAL)
                return error_set(reterr_msg, r, "the URI's parameter '%s' is badly encoded",
                                parameter_names[p]);
        if (r < 0)
                return r;
        q->present[p] = true;
        return 0;
}

static int query_parse(Query *q, const char *text, size_t len, char **reterr_msg) {
        const char *end = text + len;

        while (text < end) {
                const char *ampersand = memchr(text, '&', (size_t) (end - text));
                const char *stop = ampersand ? ampersand : end;

                if (stop > text) {
                        int r = query_add(q, text, (size_t) (stop - text), reterr_msg);
                        if (r < 0)
                                return r;
                }
                text = ampersand ? ampersand + 1 : end;
        }
        return 0;
}

/* A decimal number of at most max, digits only. */
static int number_parse(const char *text, uint64_t max, uint64_t *ret) {
        uint64_t value = 0;

        if (!*text)
                return -EINVAL;
        for (; *text; text++) {
                unsigned digit = (unsigned) *text - '0';

                if (digit > 9 || value > (max - digit) / 10)
                        return -EINVAL;
                value = value * 10 + digit;
        }
        *ret = value;
        return 0;
}

/* A number between min and max, or what *ret holds when the parameter is absent. */
static int query_number(const Query *q,
                Parameter p,
                uint64_t min,
                uint64_t max,
                uint64_t *ret,
                char **reterr_msg) {
        uint64_t value;

        if (!q->present[p])
                return 0;
        if (number_parse(secret_string(&q->values[p]), max, &value) < 0 || value < min)
                return error_set(reterr_msg, -EINVAL,
                                "the URI's parameter '%s' is no number from %" PRIu64
                                " to %" PRIu64,
                                parameter_names[p], min, max);
        *ret = value;
        return 0;
}

static int read_secret(OtpAccount *a, const Query *q, char **reterr_msg) {
        const Secret *text = &q->values[PARAMETER_SECRET];
        int r;

        if (!q->present[PARAMETER_SECRET])
                return error_set(reterr_msg, -EINVAL, "the URI has no parameter 'secret'");
        r = base32_decode_pasted(secret_string(text), text->len, &a->secret);
        if (r == -EBADMSG)
                return error_set(reterr_msg, -EINVAL,
                                "the URI's parameter 'secret' is not Base32 (letters and the "
                                "digits 2 to 7)");
        if (r < 0)
                return r;
        if (a->secret.len > OTP_SECRET_MAX)
                return error_set(reterr_msg, -EINVAL, "the URI's secret is longer than %d bytes",
                                OTP_SECRET_MAX);
        return 0;
}

static int read_algorithm(OtpAccount *a, const Query *q, char **reterr_msg) {
        int algorithm;

        a->algorithm = OTP_SHA1;
        if (!q->present[PARAMETER_ALGORITHM])
                return 0;
        algorithm = otp_algorithm_from_string(secret_string(&q->values[PARAMETER_ALGORITHM]));
        if (algorithm < 0)
                return error_set(reterr_msg, -EINVAL,
                                "the URI's algorithm is none of SHA1, SHA256 and SHA512");
        a->algorithm = (OtpAlgorithm) algorithm;
        return 0;
}

/* What counts: the period, or the counter. The other kind's parameter is passed over. */
static int read_moving_factor(OtpAccount *a, const Query *q, char **reterr_msg) {
        uint64_t period = PERIOD_DEFAULT;
        int r;

        if (a->kind == OTP_HOTP) {
                if (!q->present[PARAMETER_COUNTER])
                        return error_set(reterr_msg, -EINVAL,
                                        "the URI has no parameter 'counter', which HOTP needs");
                r = query_number(q, PARAMETER_COUNTER, 0, UINT64_MAX, &a->counter, reterr_msg);
        } else
                r = query_number(q, PARAMETER_PERIOD, 1, UINT32_MAX, &period, reterr_msg);
        if (r < 0)
                return r;
        a->period = (uint32_t) period;
        return 0;
}

/* Splits a label at its first colon, or at its first escaped one when there is none: both forms are
 * about, and only the literal colon can be told from one inside a name. */
static const char *label_colon(const char *label, size_t len, size_t *ret_width) {
        const char *colon = memchr(label, ':', len);

        *ret_width = 1;
        if (colon)
                return colon;
        *ret_width = STRLEN("%3A");
        for (size_t i = 0; i + *ret_width <= len; i++)
                if (strncasecmp(label + i, "%3A", *ret_width) == 0)
                        return label + i;
        return NULL;
}

static int read_label(
                OtpAccount *a, const char *label, size_t len, const Query *q, char **reterr_msg) {
        _cleanup_(secret_done) Secret prefix = {0}, account = {0};
        size_t width;
        const char *colon = label_colon(label, len, &width);
        const char *rest = colon ? colon + width : label;
        int r = 0;

        if (colon)
                r = otpauth_percent_decode(label, (size_t) (colon - label), false, &prefix);
        if (r == 0)
                r = otpauth_percent_decode(rest, (size_t) (label + len - rest), false, &account);
        if (r == -EINVAL)
                return error_set(reterr_msg, r, "the URI's label is badly encoded");
        if (r < 0)
                return r;
        r = otpauth_set_names(a, secret_string(&q->values[PARAMETER_ISSUER]),
                        secret_string(&prefix), secret_string(&account));
        if (r == -EINVAL)
                return error_set(reterr_msg, r,
                                "the URI names two issuers: one before the label's colon, another "
                                "in the parameter 'issuer'");
        return r;
}

/* Reads what stands after the scheme: the kind, which ends at a slash, a '?' or the end. Returns
 * its length, or 0 for an unknown one. */
static size_t read_kind(const char *text, size_t len, OtpKind *ret) {
        size_t n = 0;

        while (n < len && text[n] != '/' && text[n] != '?')
                n++;
        if (n != STRLEN("totp"))
                return 0;
        if (otpauth_has_prefix(text, n, "totp"))
                *ret = OTP_TOTP;
        else if (otpauth_has_prefix(text, n, "hotp"))
                *ret = OTP_HOTP;
        else
                return 0;
        return n;
}

/* Fills a from the URI's label and query. a->kind is set. */
static int read_account(OtpAccount *a, const char *label, size_t len, char **reterr_msg) {
        _cleanup_(query_done) Query q = {0};
        const char *question = memchr(label, '?', len);
        const char *query = question ? question + 1 : label + len;
        size_t label_len = question ? (size_t) (question - label) : len;
        uint64_t digits = DIGITS_DEFAULT;
        int r;

        r = query_parse(&q, query, (size_t) (label + len - query), reterr_msg);
        if (r < 0)
                return r;
        r = read_secret(a, &q, reterr_msg);
        if (r < 0)
                return r;
        r = read_algorithm(a, &q, reterr_msg);
        if (r < 0)
                return r;
        r = query_number(&q, PARAMETER_DIGITS, OTP_DIGITS_MIN, OTP_DIGITS_MAX, &digits, reterr_msg);
        if (r < 0)
                return r;
        a->digits = (unsigned) digits;
        r = read_moving_factor(a, &q, reterr_msg);
        if (r < 0)
                return r;
        return read_label(a, label, label_len, &q, reterr_msg);
}

int otpauth_parse(OtpAccount *ret, const char *uri, size_t len, char **reterr_msg) {
        _cleanup_(otp_account_done) OtpAccount a = {0};
        const char *rest, *end = uri + len;
        size_t kind_len;
        int r;

        if (len > OTPAUTH_URI_MAX)
                return error_set(reterr_msg, -EINVAL, "the URI is longer than %d characters",
                                OTPAUTH_URI_MAX);
        if (!otpauth_has_prefix(uri, len, "otpauth://"))
                return error_set(reterr_msg, -EINVAL, "the URI does not start with otpauth://");
        if (memchr(uri, '#', len))
                return error_set(reterr_msg, -EINVAL, "the URI holds a '#'; write it as %%23");
        rest = uri + STRLEN("otpauth://");
        kind_len = read_kind(rest, (size_t) (end - rest), &a.kind);
        if (kind_len == 0)
                return error_set(reterr_msg, -EINVAL,
                                "the URI's kind is neither totp nor hotp: it starts with "
                                "otpauth://totp/ or otpauth://hotp/");
        rest += kind_len;
        if (rest < end && *rest == '/')
                rest++;
        r = read_account(&a, rest, (size_t) (end - rest), reterr_msg);
        if (r < 0)
                return r;
        *ret = a;
        a = (OtpAccount){0};
        return 0;
}

/* Text that the parser would give back. */
static bool name_writable(const char *text) {
        return !has_control(text) && utf8_valid(text, strlen(text));
}

static bool account_writable(const OtpAccount *a) {
        return (a->kind == OTP_TOTP || a->kind == OTP_HOTP) &&
               otp_algorithm_to_string(a->algorithm) && a->digits >= OTP_DIGITS_MIN &&
               a->digits <= OTP_DIGITS_MAX && (a->kind != OTP_TOTP || a->period > 0) &&
               a->secret.len > 0 && a->secret.len <= OTP_SECRET_MAX &&
               name_writable(strempty(a->issuer)) && name_writable(strempty(a->account));
}

/* The label. An account whose own name has a colon gets an empty prefix where it has no issuer,
 * lest its first part be read as one. */
static int append_label(Secret *s, const char *issuer, const char *account) {
        int r;

        r = percent_encode(s, issuer, strlen(issuer));
        if (r < 0)
                return r;
        if (*issuer || strchr(account, ':')) {
                r = secret_append_string(s, ":");
                if (r < 0)
                        return r;
        }
        return percent_encode(s, account, strlen(account));
}

static int append_parameters(Secret *s, const OtpAccount *a) {
        _cleanup_(secret_done) Secret secret = {0};
        char numbers[96];
        int r;

        r = base32_encode(&a->secret, &secret);
        if (r < 0)
                return r;
        r = secret_append_string(s, "?secret=");
        if (r < 0)
                return r;
        r = secret_append(s, secret.data, secret.len);
        if (r < 0)
                return r;
        if (a->issuer && *a->issuer) {
                r = secret_append_string(s, "&issuer=");
                if (r < 0)
                        return r;
                r = percent_encode(s, a->issuer, strlen(a->issuer));
                if (r < 0)
                        return r;
        }
        /* The names of the algorithms are "sha" and a number of bits; here they stand in capitals.
         */
        snprintf(numbers, sizeof(numbers), "&algorithm=SHA%s&digits=%u&%s=%" PRIu64,
                        otp_algorithm_to_string(a->algorithm) + STRLEN("sha"), a->digits,
                        a->kind == OTP_HOTP ? "counter" : "period",
                        a->kind == OTP_HOTP ? a->counter : a->period);
        return secret_append_string(s, numbers);
}

int otpauth_format(const OtpAccount *a, Secret *ret) {
        _cleanup_(secret_done) Secret uri = {0};
        int r;

        if (!account_writable(a))
                return -EINVAL;
        r = secret_append_string(&uri, a->kind == OTP_HOTP ? "otpauth://hotp/" : "otpauth://totp/");
        if (r < 0)
                return r;
        r = append_label(&uri, strempty(a->issuer), strempty(a->account));
        if (r < 0)
                return r;
        r = append_parameters(&uri, a);
        if (r < 0)
                return r;
        if (uri.len > OTPAUTH_URI_MAX)
                return -EINVAL;
        secret_move(ret, &uri);
        return 0;
}
