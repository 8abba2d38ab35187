"""What people see: Streamlit pages over serving's HTTP API. Nothing here reads a database, a topic or a file of the stack."""
