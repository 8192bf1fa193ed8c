# SPDX-License-Identifier: Apache-2.0
# What decider-opa.py asks for: data.factord.decision. Without a rule that matches there is no result, and OnError=
# of factord's rule decides.
package factord

import rego.v1

decision := "approve" if {
	input.challenge.message == "Deploy web to staging"
	[field.value | some field in input.challenge.fields; field.label == "Environment"] == ["staging"]
	net.cidr_contains("10.0.0.0/8", input.challenge.hidden_details.ip)
}
