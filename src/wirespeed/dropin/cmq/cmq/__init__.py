"""The package `cmq` of cmq-python-sdk, over wirespeed."""
