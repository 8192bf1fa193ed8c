# SPDX-License-Identifier: Apache-2.0
"""All that a test may want, under one name: from harness import Daemon, wait_for, verify_jws."""

from checks import (  # noqa: F401
    assert_no_secrets,
    assert_no_tokens,
    basic_credentials,
    check_request,
    jws_bytes,
    oath_code,
    verify_der_signature,
    verify_device_jwt,
    verify_jws,
)
from daemon import Daemon, Result  # noqa: F401
from process import TIME_SCALE, TIMEOUT, WRAPPER, Process, wait_for  # noqa: F401
from sandbox import Sandbox, rfc3339  # noqa: F401
from varlink import INTERFACE, Monitor, Varlink, VarlinkError  # noqa: F401
