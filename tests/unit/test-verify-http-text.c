/* SPDX-License-Identifier: Apache-2.0 */
/* What the transport reads and takes: base URLs, options, dates, Retry-After. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "verify/http.h"

static void test_base_url(void **state) {
        static const char *const good[] = {
                        "https://verify.twilio.com",
                        "https://verify.twilio.com/",
                        "https://10.1.2.3:8443/verify/v1",
                        "https://[2001:db8::1]:8443",
                        "http://127.0.0.1:8080",
                        "http://127.255.255.254",
                        "http://[::1]:8080/x",
                        "http://localhost:65535",
        };
        static const char *const bad[] = {
                        "",
                        "verify.twilio.com",
                        "ftp://verify.twilio.com",
                        "file:///etc/passwd",
                        "HTTP://example.org",
                        "http://verify.twilio.com",
                        "http://128.0.0.1",
                        "http://127.1",
                        "http://0x7f000001",
                        "http://2130706433",
                        "http://127.0.0.1.example.org",
                        "http://localhost.example.org",
                        "http://[::2]",
                        "http://[::ffff:127.0.0.1]",
                        "http://127.0.0.1@example.org",
                        "https://user:secret@verify.twilio.com",
                        "https://verify.twilio.com?x=1",
                        "https://verify.twilio.com/#x",
                        "https://",
                        "https:///v2",
                        "https://:443",
                        "https://[::1",
                        "https://host:0",
                        "https://host:65536",
                        "https://host:",
                        "https://host:80x",
                        "https://host /",
                        "https://host\\@example.org",
                        "https://host/a/../b",
                        "https://host//b",
                        "https://host/a%2fb",
        };

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                assert_int_equal(http_check_base_url(good[i], NULL), 0);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_free_ char *why = NULL;
                if (http_check_base_url(bad[i], &why) != -EINVAL)
                        fail_msg("%s was taken", bad[i]);
                assert_non_null(strstr(why, "BaseUrl"));
                assert_null(strstr(why, "secret"));
        }
}

static void test_options(void **state) {
        static const HttpOptions good = {
                        .base_url = "https://verify.twilio.com",
                        .user_agent = "x",
                        .connect_timeout = 1,
                        .request_timeout = 1,
                        .stall_timeout = 1,
                        .max_connections = 1,
        };
        HttpOptions bad[7] = {good, good, good, good, good, good, good};
        sd_event *event = NULL;

        assert_int_equal(sd_event_new(&event), 0);
        bad[0].base_url = "http://verify.twilio.com";
        bad[1].connect_timeout = 0;
        bad[2].request_timeout = USEC_INFINITY;
        bad[3].max_connections = 0;
        bad[4].stall_timeout = 0;
        bad[5].certificate_authority = "/nonexistent/authority.pem";
        bad[6].certificate_authority = "/dev/null";
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_free_ char *why = NULL;
                HttpClient *c = NULL;
                assert_int_equal(http_client_new(&c, event, bad + i, &why), -EINVAL);
                assert_null(c);
                assert_non_null(why);
        }
        sd_event_unref(event);
}

static void test_date(void **state) {
        static const struct {
                const char *text;
                usec_t seconds;
        } good[] = {
                        /* The three forms of RFC 9110 §5.6.7. */
                        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
                        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
                        {"Sun Nov  6 08:49:37 1994", 784111777},
                        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
                        {"Thu, 29 Feb 2024 23:59:59 GMT", 1709251199},
                        {"Sat, 31 Dec 2016 23:59:60 GMT", 1483228799},
                        {"Friday, 02-Jan-26 03:04:05 GMT", 1767323045},
        };
        static const char *const bad[] = {
                        "",
                        "yesterday",
                        "Sun, 06 Nov 1994 08:49:37",
                        "Sun, 06 Nov 1994 08:49:37 CET",
                        "Sun, 06 Nov 1994 08:49:37 GMT ",
                        "Sun, 6 Nov 1994 08:49:37 GMT",
                        "Sun, 31 Feb 1994 08:49:37 GMT",
                        "Sun, 06 Nov 1994 24:49:37 GMT",
                        "Sun, 06 Nov 1994 08:60:37 GMT",
                        "Sun, 06 Nov 1969 08:49:37 GMT",
                        "Sun, 00 Nov 1994 08:49:37 GMT",
                        "Sun, 06 nov 1994 08:49:37 GMT",
                        "784111777",
        };
        usec_t t;

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                assert_int_equal(http_date_parse(good[i].text, &t), 0);
                assert_int_equal(t, good[i].seconds * USEC_PER_SEC);
        }
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                if (http_date_parse(bad[i], &t) != -EINVAL)
                        fail_msg("'%s' was taken", bad[i]);
}

static void test_retry_after(void **state) {
        const usec_t now = 784111777 * USEC_PER_SEC;
        usec_t delay;

        assert_int_equal(http_retry_after_parse("0", now, &delay), 0);
        assert_int_equal(delay, 0);
        assert_int_equal(http_retry_after_parse("120", now, &delay), 0);
        assert_int_equal(delay, 120 * USEC_PER_SEC);
        assert_int_equal(http_retry_after_parse("99999999999999999999999999", now, &delay), 0);
        assert_true(delay > 10000 * USEC_PER_DAY);
        assert_int_equal(http_retry_after_parse("Sun, 06 Nov 1994 08:50:37 GMT", now, &delay), 0);
        assert_int_equal(delay, USEC_PER_MINUTE);
        assert_int_equal(http_retry_after_parse("Sun, 06 Nov 1994 08:48:37 GMT", now, &delay), 0);
        assert_int_equal(delay, 0);
        assert_int_equal(http_retry_after_parse("", now, &delay), -EINVAL);
        assert_int_equal(http_retry_after_parse("-1", now, &delay), -EINVAL);
        assert_int_equal(http_retry_after_parse("1.5", now, &delay), -EINVAL);
        assert_int_equal(http_retry_after_parse("soon", now, &delay), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_base_url),
                        cmocka_unit_test(test_options),
                        cmocka_unit_test(test_date),
                        cmocka_unit_test(test_retry_after),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
