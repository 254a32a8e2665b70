"""The WCS clients for asyncio. Those under `client` are generated from them."""
