"""Videos, which are made by tasks alone (contract:171): what is asked, the vendor's words for it, and the making."""
