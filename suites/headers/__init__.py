"""What travels beside the bodies: headers to the vendor, headers to the client."""
