@testable import ConsignmentService
