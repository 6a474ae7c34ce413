"""Crossbars: networks on arrays that multiply in memory."""
