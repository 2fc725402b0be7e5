"""The reading APIs: well-kept libraries' ASGI apps under the Functions host, each begun when first asked."""
