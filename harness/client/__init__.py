"""The client witness: official SDKs and a raw client, over transports that keep every byte read, with its time."""

from harness.client.call import Bases, Call, ClientResult, DriveError
from harness.client.environment import SDK_WARNING_FILTERS, scrubbed_environment
from harness.client.witness import ClientWitness, preload

__all__ = ["SDK_WARNING_FILTERS", "Bases", "Call", "ClientResult", "ClientWitness", "DriveError", "preload", "scrubbed_environment"]
