"""The compiled core under ThreadSanitizer, AddressSanitizer, UBSan and stress."""
