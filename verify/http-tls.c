/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/http-tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <string.h>
#include <unistd.h>

#include "verify/http.h"

/* By the call that libcurl will use: what it takes here is taken there. */
static bool authority_is_readable(const char *path) {
        X509_STORE *store = X509_STORE_new();
        bool good = store && X509_STORE_load_file(store, path) == 1;

        X509_STORE_free(store);
        ERR_clear_error(); /* libcurl looks for its own there */
        return good;
}

int http_check_authority(const char *path, char **reterr_msg) {
        if (access(path, R_OK) < 0)
                return error_set(reterr_msg, -EINVAL, "CertificateAuthority: cannot read %s: %s",
                                path, strerror(errno));
        if (!authority_is_readable(path))
                return error_set(reterr_msg, -EINVAL,
                                "CertificateAuthority: %s is no file of certificates in PEM form; "
                                "name the one that the server's certificate was issued under",
                                path);
        return 0;
}

bool tls_is_cause(CURLcode code) {
        return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR ||
               code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_CIPHER ||
               code == CURLE_SSL_ISSUER_ERROR || code == CURLE_SSL_INVALIDCERTSTATUS;
}

static const char *certificate_hint(long verify_result) {
        switch (verify_result) {
        /* The chain is good, so it is the name: libcurl looks at that by itself, and leaves what
         * it began with in older versions. */
        case X509_V_OK:
        case X509_V_ERR_UNSPECIFIED:
                return "; the server must show a certificate for the host that BaseUrl names";
        case X509_V_ERR_CERT_NOT_YET_VALID:
        case X509_V_ERR_CERT_HAS_EXPIRED:
                return "; the server needs another one, unless this machine's clock is wrong";
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
                return "; if this is the right server, name the certificate of its authority in "
                       "[Api] CertificateAuthority";
        default:
                return "";
        }
}

const char *tls_hint(CURL *handle, CURLcode code) {
        long verify_result = -1;

        if (code == CURLE_SSL_CONNECT_ERROR)
                return "; it must speak TLS 1.2 or later on that port";
        if (code != CURLE_PEER_FAILED_VERIFICATION)
                return "";
        (void) curl_easy_getinfo(handle, CURLINFO_SSL_VERIFYRESULT, &verify_result);
        return certificate_hint(verify_result);
}
